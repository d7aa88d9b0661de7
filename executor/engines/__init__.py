"""vLLM engines, in this process or in a child process."""
