"""HTTP: the application, requests, responses, limits, keys, and the server that runs it."""
