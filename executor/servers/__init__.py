"""Policies and PRMs that run as `vllm serve` processes somewhere, one or several of a model."""
