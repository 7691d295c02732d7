"""Checks rows of any number before they cost GPU hours."""
