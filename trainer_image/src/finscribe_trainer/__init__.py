"""The trainer: one run from rows to an adapter, in a pod or on a laptop."""
