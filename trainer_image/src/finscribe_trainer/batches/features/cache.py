"""Lets each image pass the vision tower once: what is missing is computed, and kept."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch

from finscribe_trainer.batches.features.files import write_features
from finscribe_trainer.batches.features.room import Room
from finscribe_trainer.batches.features.store import FeatureStore
from finscribe_trainer.model.batch import Encoded
from finscribe_trainer.model.families.base import Family, ImageFeatures

log = logging.getLogger(__name__)

MAX_PENDING = 16
"""Images whose features wait to be written, at most: 42 MB of pages of a megapixel in bfloat16."""


class FeatureCache:
    """Turns a batch's new images into features.

    Each image passes the tower alone, so that its features never depend on what else was in a batch, or on
    whether they came from the disk. They are written behind the training's back: the GPU goes on meanwhile.

    Args:
        model: whose vision tower is frozen.
        family: the model's.
        store: where features are found.
        room: whether more may be kept.
        report: is told hits, misses and the bytes that are kept, after each batch.
    """

    def __init__(
        self,
        model: Any,
        family: Family,
        store: FeatureStore,
        room: Room,
        report: Callable[[int, int, int], None] = lambda *_: None,
    ) -> None:
        self.model = model
        self.family = family
        self.store = store
        self.room = room
        self.report = report
        self.hits = 0
        self.misses = 0
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="features")
        self._pending: dict[str, tuple[ImageFeatures, Future[None]]] = {}

    def fill(self, batch: Encoded) -> None:
        """Let every image of a batch be features; the batch is on the model's device."""
        hits = misses = 0
        for image in (image for row in batch.get("images", []) for image in row):
            if "features" in image:
                hits += 1
            elif found := self._find(image["key"]):  # made since the data worker looked
                hits += 1
                self._replace(image, found.features)
            else:
                misses += 1
                features = self._compute(image)
                self._keep(image["key"], ImageFeatures(features, tuple(image["image_grid_thw"].tolist())))
                self._replace(image, features)
        self.hits += hits
        self.misses += misses
        if hits or misses:
            self.report(hits, misses, self.room.used)

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

    def _keep(self, key: str, image: ImageFeatures) -> None:
        self._pending = {name: each for name, each in self._pending.items() if not each[1].done()}
        if len(self._pending) == MAX_PENDING:
            next(iter(self._pending.values()))[1].result()
        self._pending[key] = image, self._writer.submit(self._write, key, image)

    def _write(self, key: str, image: ImageFeatures) -> None:
        try:
            if self.room.make(image.features.nbytes):
                write_features(self.store.path(key), image)
        except OSError as error:
            self.room.close(str(error))

    def flush(self) -> None:
        """Wait until all that is to be kept is on the disk."""
        for _, written in self._pending.values():
            written.result()
        self._pending = {}

    def log_summary(self) -> None:
        """Say how much was found."""
        self.flush()
        if total := self.hits + self.misses:
            share, size = self.hits / total, self.room.used / 1e9
            log.info(
                "feature cache: %.0f %% of %d pages were found; it holds %.2f GB", 100 * share, total, size
            )
