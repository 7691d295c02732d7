"""Makes up documents: what they say, what they look like, and what a scanner makes of them."""
