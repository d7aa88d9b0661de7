"""Models: checkpoints, tokenizers, prompt templates, stop rules."""
