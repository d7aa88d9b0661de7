"""Statistics of a scorer on right and wrong answers, and training of a reward head."""
