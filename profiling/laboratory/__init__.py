"""The laboratory: a task, policies and PRMs small enough to train and measure on two cores.

The truth about them is known: each step of a solution can be checked exactly, and the hardness of a
problem is a dial. Results on the laboratory are about strategies, not about language.
"""
