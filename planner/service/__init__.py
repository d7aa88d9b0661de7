"""The service: an OpenAI-compatible server that routes every query to its own strategy.

`answering` answers queries and knows nothing of HTTP; `queue`, `monitoring` and `feedback` stand
beside it; `http` and `page` speak to clients. Only the modules here
may import FastAPI.
"""
