"""The service: an OpenAI-compatible server that routes every query to its own strategy.

`answerer` is the seam: what is behind it answers queries, what is before it speaks HTTP. Only the
modules here may import FastAPI.
"""
