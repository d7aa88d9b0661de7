"""What a thought is: the marks of model families, thoughts in tokens, how long one may be."""
