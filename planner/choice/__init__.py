"""The choice: which strategy is best under a constraint, and the notes that explain it."""
