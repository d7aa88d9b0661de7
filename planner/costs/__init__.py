"""Costs: FLOPs, seconds, money and energy of tokens."""
