"""Targeted tuning: where two checkpoints differ in what they refuse, and tuning of that alone."""
