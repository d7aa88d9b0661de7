"""Formulas with units: one spelling, read as a whole, with exact numbers."""
