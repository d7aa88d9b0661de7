"""Profiles of policies by graded samples, and files of sample pools."""
