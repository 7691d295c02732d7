"""Prepares data sets: splitting, anonymization, and conversion of reviewed corrections to rows."""
