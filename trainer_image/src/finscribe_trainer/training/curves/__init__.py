"""Training curves: what is logged, for TensorBoard and Weights & Biases."""
