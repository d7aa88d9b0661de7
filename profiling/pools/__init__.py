"""Pools of samples, and exact replay of votes from them."""
