"""Files from and to the object storage, so that what a network or a disk does to a run is bounded."""

from finscribe_trainer.storage.connection import RetryPolicy, TransferObserver
from finscribe_trainer.storage.progress import TransferProgress
from finscribe_trainer.storage.storage import Storage

__all__ = ["RetryPolicy", "Storage", "TransferObserver", "TransferProgress"]
