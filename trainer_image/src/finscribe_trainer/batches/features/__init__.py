"""What the frozen vision tower makes of a page, kept on disk."""
