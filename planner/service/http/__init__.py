"""HTTP: the app, requests, responses, limits and keys."""
