"""The trainer: one run from rows to an adapter, in a pod or on a laptop."""

from finscribe_trainer.runtime.cpu_memory import enable_huge_pages

enable_huge_pages()  # before anything imports PyTorch
