"""Readers of the forms that an answer can have; each says what one form means, or None."""
