"""Evaluation metrics: pure functions of a ground-truth answer and a predicted one."""
