"""Replaces the images of a batch by vision features, computing and caching those that are missing."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch

from finscribe_trainer.batches.features.files import write_features
from finscribe_trainer.batches.features.store import FeatureStore
from finscribe_trainer.model.batch import Encoded
from finscribe_trainer.model.families.base import Family, ImageFeatures
from finscribe_trainer.runtime.disk_quota import DiskQuota

log = logging.getLogger(__name__)

MAX_PENDING = 16
"""Largest number of features waiting to be written: 42 MB for pages of 1 megapixel in bfloat16."""


class FeatureCache:
    """Finds or computes the vision features of batches.

    Each image passes the vision tower by itself, so that its features depend neither on the rest of the batch
    nor on whether they were cached. A background thread writes them while the GPU continues.

    Args:
        model: the model with a frozen vision tower.
        family: the model's family.
        store: finds cached features.
        quota: limits the size of the cache.
        report: called after each batch with its hits, its misses and the size of the cache in bytes.
    """

    def __init__(
        self,
        model: Any,
        family: Family,
        store: FeatureStore,
        quota: DiskQuota,
        report: Callable[[int, int, int], None] = lambda *_: None,
    ) -> None:
        self.model = model
        self.family = family
        self.store = store
        self.quota = quota
        self.report = report
        self.hits = 0
        self.misses = 0
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="features")
        self._pending: dict[str, tuple[ImageFeatures, Future[None]]] = {}

    def fill(self, batch: Encoded) -> None:
        """Replace every image of a batch, which is on the model's device, by its features."""
        hits = misses = 0
        for image in (image for row in batch.get("images", []) for image in row):
            if "features" in image:
                hits += 1
            elif found := self._find(image["key"]):  # written since the data worker searched
                hits += 1
                self._replace(image, found.features)
            else:
                misses += 1
                features = self._compute(image)
                self._write_later(
                    image["key"], ImageFeatures(features, tuple(image["image_grid_thw"].tolist()))
                )
                self._replace(image, features)
        self.hits += hits
        self.misses += misses
        if hits or misses:
            self.report(hits, misses, self.quota.used_bytes)

    def _find(self, key: str) -> ImageFeatures | None:
        waiting = self._pending.get(key)
        return waiting[0] if waiting else self.store.find(key)

    def _replace(self, image: dict[str, Any], features: torch.Tensor) -> None:
        image["features"] = features.to(image.pop("pixel_values").device)

    @torch.no_grad()
    def _compute(self, image: dict[str, Any]) -> torch.Tensor:
        for module in self.family.vision_modules(self.model):
            module.eval()
        device, dtype = image["pixel_values"].device.type, self.store.dtype
        with torch.autocast(device, dtype=dtype, enabled=dtype != torch.float32):
            features = self.family.image_features(self.model, image)
        return features.to(dtype)

    def _write_later(self, key: str, image: ImageFeatures) -> None:
        self._pending = {name: each for name, each in self._pending.items() if not each[1].done()}
        if len(self._pending) == MAX_PENDING:
            next(iter(self._pending.values()))[1].result()
        self._pending[key] = image, self._writer.submit(self._write, key, image)

    def _write(self, key: str, image: ImageFeatures) -> None:
        try:
            if self.quota.reserve(image.features.nbytes):
                write_features(self.store.path(key), image)
        except OSError as error:
            self.quota.stop_writing(str(error))

    def flush(self) -> None:
        """Wait until all pending features are written."""
        for _, written in self._pending.values():
            written.result()
        self._pending = {}

    def log_summary(self) -> None:
        """Log the hit rate and the size of the cache."""
        self.flush()
        if total := self.hits + self.misses:
            share, size = self.hits / total, self.quota.used_bytes / 1e9
            log.info("feature cache: hit rate %.0f %% of %d pages; size %.2f GB", 100 * share, total, size)
