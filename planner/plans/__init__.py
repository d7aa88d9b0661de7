"""Plans: the record, and what a router computes from it."""
