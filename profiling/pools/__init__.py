"""Pools of samples, and the replay of votes among subsets of them."""
