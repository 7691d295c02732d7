from tests.support.storage import bucket, storage

__all__ = ["bucket", "storage"]
