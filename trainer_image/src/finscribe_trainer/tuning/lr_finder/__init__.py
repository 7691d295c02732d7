"""`finscribe lr-finder`: the learning rate range test."""
