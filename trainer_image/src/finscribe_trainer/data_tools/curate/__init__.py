"""Prepares rows: splits them, replaces names and numbers of real people, turns corrections into rows."""
