"""Many runs: learning-rate finder, experiments, hyperparameter sweep."""
