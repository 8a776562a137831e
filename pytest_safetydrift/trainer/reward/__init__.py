"""What answers are worth: the mathematics of rewards, and reward models with their examination."""
