"""`finscribe experiments` and `finscribe sweep`: the same training with other settings."""
