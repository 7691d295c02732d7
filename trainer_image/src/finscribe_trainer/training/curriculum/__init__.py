"""Curriculum learning: scores the difficulty of rows, and decides when each joins the training."""
