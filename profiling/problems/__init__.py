"""Problem files: reading them, and making word problems."""
