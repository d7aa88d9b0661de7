"""Clients of model servers: addresses, health, load balancing, metrics."""
