"""Policies: what writes. In-process vLLM, vLLM servers, and the simulated policy of tests."""
