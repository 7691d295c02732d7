"""Imports documents, and data sets in the formats of other programs: writes rows, and images beside them."""
