"""Use cases: what a command, the service and the Python API do, as functions."""
