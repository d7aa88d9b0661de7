"""The choice: which strategy is best under a constraint, and what is said about it."""
