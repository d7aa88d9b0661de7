"""vLLM engines: in this process, in a process of their own, and what both have in common."""
