"""Moves files to and from S3, with retries, resumable downloads, cancellation and progress."""

from finscribe_trainer.storage.connection import RetryPolicy, TransferObserver
from finscribe_trainer.storage.progress import TransferProgress
from finscribe_trainer.storage.storage import Storage

__all__ = ["RetryPolicy", "Storage", "TransferObserver", "TransferProgress"]
