"""Running problems on the workers of a Ray cluster."""
