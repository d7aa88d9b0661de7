"""Monitoring: logs, metrics, traffic counts and drift."""
