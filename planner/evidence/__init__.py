"""Evidence: measured outcomes by policy, scorer, strategy, budget and difficulty."""
