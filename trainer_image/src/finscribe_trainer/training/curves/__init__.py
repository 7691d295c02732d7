"""Training curves: logged metrics, written for TensorBoard and Weights & Biases."""
