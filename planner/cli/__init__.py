"""The command line: parses and prints."""
