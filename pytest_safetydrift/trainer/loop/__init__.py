"""The closed loop, `safetydrift improve`: gate, learn from the failed refusals, gate again on prompts never learnt."""
