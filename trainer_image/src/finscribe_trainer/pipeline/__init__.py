"""The stages of a run, from its config to the published result."""
