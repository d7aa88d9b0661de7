"""The queue of questions: fair turns for the requests that wait."""
