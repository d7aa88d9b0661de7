"""Evidence: rows of what was measured, by policy, scorer, strategy, budget and difficulty."""
