"""The queue: fair turns for waiting requests."""
