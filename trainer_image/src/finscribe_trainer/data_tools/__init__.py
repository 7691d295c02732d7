"""What `finscribe data` and `finscribe sample` do: validate, prepare, generate and preview data sets."""
