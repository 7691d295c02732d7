"""Writes and reads feature files atomically, with a checksum."""

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from finscribe_core.atomic_files import write_atomically
from finscribe_trainer.model.families.base import ImageFeatures

_TENSOR = "features"


def write_features(path: Path, image: ImageFeatures) -> int:
    """Write or replace a file; several processes may write the same one at the same time.

    Returns:
        its size in bytes.

    Raises:
        OSError: it can't be written; an existing file is unchanged.
    """
    features = image.features.detach().cpu().contiguous()
    metadata = {"grid": " ".join(map(str, image.grid)), "crc32": str(_checksum(features))}
    data = save({_TENSOR: features}, metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, data, unique=True)
    return len(data)


def read_features(
    path: Path, dtype: torch.dtype, shape_of: Callable[[Sequence[int]], tuple[int, int]]
) -> ImageFeatures:
    """Read the features of a file as a memory map.

    Args:
        path: the file.
        dtype: the expected dtype.
        shape_of: gives the expected shape for a grid.

    Raises:
        OSError: the file can't be read.
        ValueError: it is damaged, or has another dtype or shape.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            features = file.get_tensor(_TENSOR)
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    frames, height, width = grid = tuple(int(side) for side in metadata.get("grid", "").split())
    if features.dtype != dtype or features.shape != shape_of(grid):
        raise ValueError(f"{features.dtype} {tuple(features.shape)} instead of {dtype} {shape_of(grid)}")
    if metadata.get("crc32") != str(_checksum(features)):
        raise ValueError("its checksum differs")
    return ImageFeatures(features, (frames, height, width))


def _checksum(features: torch.Tensor) -> int:
    """CRC-32: after a power failure, a file of the right length may contain zeros."""
    return zlib.crc32(features.view(torch.uint8).numpy().data)
