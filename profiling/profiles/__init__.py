"""Profiles: what sampling a policy on known problems found, and files of sample pools."""
