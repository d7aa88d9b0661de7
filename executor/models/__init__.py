"""Models on disk: checkpoints, tokenizers, prompt templates, stop rules."""
