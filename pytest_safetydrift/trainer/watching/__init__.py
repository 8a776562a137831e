"""Watching: saved checkpoints are judged while training goes on, each by pytest in a process of its own."""
