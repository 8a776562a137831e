"""What every way of training shares: configuration, rows, batches, the folder, resuming, the card."""
