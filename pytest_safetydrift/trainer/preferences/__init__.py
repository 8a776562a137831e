"""Preferences: which of two answers is better, made from a model's own draws, read, and given to trainers."""
