"""The trainer: one run from rows to an adapter, in a pod or on a laptop."""

from finscribe_trainer.runtime.cpu_memory import take_large_pages

take_large_pages()  # before anything imports PyTorch
