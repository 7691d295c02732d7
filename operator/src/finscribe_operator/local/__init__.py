"""`finscribe run`: the operator's own reconcile, with this machine in the place of a cluster."""
