"""`finscribe run` and `finscribe demo`: the operator's reconciler with local processes for a cluster."""
