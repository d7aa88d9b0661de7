"""The laboratory: a task, policies and PRMs small enough to be trained and measured on two cores.

Everything about them is known: each step of a solution can be checked exactly, and the hardness of
a problem is a dial. What is learnt on them is about strategies, not about language.
"""
