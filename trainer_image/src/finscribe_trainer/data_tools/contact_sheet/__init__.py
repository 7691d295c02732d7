"""Contact sheets that show augmented training pages."""
