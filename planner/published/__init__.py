"""What others have published: figures, a model over studies, and the answer they give together."""
