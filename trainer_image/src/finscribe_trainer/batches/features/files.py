"""A file of features: written whole, believed only when it proves what it holds."""

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from finscribe_trainer.model.families.base import ImageFeatures
from finscribe_trainer.runtime.files import write_atomically

_TENSOR = "features"


def write_features(path: Path, image: ImageFeatures) -> int:
    """Write a file, or replace it; several processes may write the same one at once.

    Returns:
        its size in bytes.

    Raises:
        OSError: it can't be written; what was there is kept.
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
    """The features of a file, mapped into memory.

    Args:
        path: of the file.
        dtype: what they must be in.
        shape_of: what their shape must be, by their grid.

    Raises:
        OSError: there is no such file.
        ValueError: it is damaged or something else.
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
    """What a power cut leaves may be of the right length and hold zeros."""
    return zlib.crc32(features.view(torch.uint8).numpy().data)
