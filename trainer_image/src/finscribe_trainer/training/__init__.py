"""The training loop: Trainer subclass, arguments, callbacks, checkpoints, resuming, sampling order."""
