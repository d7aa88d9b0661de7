"""Monitoring: logs, metrics, traffic and drift."""
