"""Figures of how well documents are read: pure functions of a right answer and a given one."""
