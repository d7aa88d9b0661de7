"""Workloads: a total budget divided over difficulties."""
