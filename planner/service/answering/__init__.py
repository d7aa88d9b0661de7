"""Answering: the interface of what answers queries, by a plan or simulated."""
