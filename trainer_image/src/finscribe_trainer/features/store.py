"""The folder of features: one file for each image, shared by runs."""

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from finscribe_trainer.families.base import Family, ImageFeatures
from finscribe_trainer.features.files import read_features

log = logging.getLogger(__name__)

SUFFIX = ".safetensors"


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
