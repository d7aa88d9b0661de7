"""The planner: which test-time strategy, with how much compute."""
