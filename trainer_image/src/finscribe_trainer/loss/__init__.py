"""What the tokens of an answer cost: plain cross-entropy, focal, smoothed, weighted."""
