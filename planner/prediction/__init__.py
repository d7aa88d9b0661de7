"""The outcome model: predicted accuracy of a strategy, with its tuning and its splits."""
