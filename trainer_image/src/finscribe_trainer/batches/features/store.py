"""The folder of features: one file for each image, shared by runs."""

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

log = logging.getLogger(__name__)

SUFFIX = ".safetensors"
_FILE = re.compile(rf"[0-9a-f]{{64}}(-[0-9a-f]+)?{re.escape(SUFFIX)}")
_BEGUN = re.compile(rf"\.{_FILE.pattern}\.[0-9a-f]{{32}}\.part")


def is_features(path: Path) -> bool:
    """Whether a file is one of ours by its name; in a folder that is shared, others lie about."""
    return _FILE.fullmatch(path.name) is not None


def is_begun(path: Path) -> bool:
    """Whether it is one that is being written, or was when its writer was killed."""
    return _BEGUN.fullmatch(path.name) is not None


def files_below(root: Path) -> Iterator[Path]:
    """What may be features, of any vision tower: `FeatureStore.path` has such places."""
    return root.glob("*/??/*")


@dataclass(frozen=True)
class FeatureStore:
    """Finds features; asked in data workers, too."""

    folder: Path
    """Of this vision tower: others' features are in others."""
    dtype: torch.dtype
    """What the tower computes in."""
    family: Family

    def path(self, key: str) -> Path:
        """Where the features of an image are, or would be."""
        return self.folder / key[:2] / f"{key}{SUFFIX}"

    def find(self, key: str) -> ImageFeatures | None:
        """The features of an image, if they are there; noted as used just now.

        A file that is damaged, or holds something else, is removed.
        """
        path = self.path(key)
        try:
            found = read_features(path, self.dtype, self.family.features_shape)
        except OSError:
            return None
        except ValueError as problem:
            log.warning("%s can't be used and is computed anew: %s", path, problem)
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):  # a folder that may only be read
            os.utime(path)
        return found
