"""One run from configuration to published result."""
