"""How well a scorer separates right from wrong answers, and training a reward head."""
