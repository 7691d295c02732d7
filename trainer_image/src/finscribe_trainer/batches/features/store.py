"""Finds cached features in a folder that runs share, with one file per image."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from finscribe_trainer.batches.features.files import read_features
from finscribe_trainer.model.families.base import Family, ImageFeatures
from finscribe_trainer.runtime.disk_quota import CacheFiles

log = logging.getLogger(__name__)

SUFFIX = ".safetensors"
_FILE = re.compile(rf"[0-9a-f]{{64}}(-[0-9a-f]+)?{re.escape(SUFFIX)}")
_PARTIAL_FILE = re.compile(rf"\.{_FILE.pattern}\.[0-9a-f]{{32}}\.part")


def is_feature_file(path: Path) -> bool:
    """Whether a file has the name of a feature file; a shared folder may contain others."""
    return _FILE.fullmatch(path.name) is not None


def is_partial(path: Path) -> bool:
    """Whether a file is a feature file that is being written, or whose writer was killed."""
    return _PARTIAL_FILE.fullmatch(path.name) is not None


def iterate_files(root: Path) -> Iterator[Path]:
    """All files where `FeatureStore.path` may put features, of any vision tower."""
    return root.glob("*/??/*")


FEATURE_FILES = CacheFiles("feature cache", iterate_files, is_feature_file, is_partial)


@dataclass(frozen=True)
class FeatureStore:
    """Finds cached features; used by the data workers and the main process."""

    folder: Path
    """The folder of this vision tower, named by its fingerprint."""
    dtype: torch.dtype
    """The dtype of the vision tower's output."""
    family: Family

    def path(self, key: str) -> Path:
        """The file of an image's features."""
        return self.folder / key[:2] / f"{key}{SUFFIX}"

    def find(self, key: str) -> ImageFeatures | None:
        """The cached features of an image, or None; updates the time of their last use.

        A damaged or unexpected file is removed.
        """
        path = self.path(key)
        try:
            found = read_features(path, self.dtype, self.family.features_shape)
        except OSError:
            return None
        except ValueError as problem:
            log.warning("%s is invalid and will be recomputed: %s", path, problem)
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):  # a read-only folder
            os.utime(path)
        return found
