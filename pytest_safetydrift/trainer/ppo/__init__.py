"""Proximal policy optimisation over causal language models: rollouts, updates and their saves."""
