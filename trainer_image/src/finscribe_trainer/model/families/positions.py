"""Computes mRoPE position ids: time, height and width of each token."""

from collections.abc import Iterable

import torch


def mrope_positions(is_image: torch.Tensor, grids: Iterable[torch.Tensor], merge_size: int) -> torch.Tensor:
    """Positions (tokens, 3) in time, height and width (Wang et al. 2024, "Qwen2-VL", section 2.1).

    A text token has the same position on all axes. An image's tokens have the coordinates of its squares,
    relative to the position at which the image starts; the text after it continues at its longer side.

    The model computes the same positions on the GPU, but synchronizes with it for each image.

    Args:
        is_image: (tokens,), true for image tokens; two images are always separated by text.
        grids: (frames, height, width) in patches of each image, in the order of the text.
        merge_size: patches along a side of an image token's square.
    """
    parts: list[torch.Tensor] = []
    remaining = iter(grids)
    values, counts = torch.unique_consecutive(is_image, return_counts=True)
    start = 0
    for of_image, count in zip(values.tolist(), counts.tolist(), strict=True):
        text = torch.arange(count)[:, None].expand(-1, 3)
        part = _squares(next(remaining), merge_size) if of_image else text
        parts.append(part + start)
        start += int(part[:, 1:].max()) + 1
    return torch.cat(parts)


def _squares(grid: torch.Tensor, merge_size: int) -> torch.Tensor:
    """Coordinates (squares, 3) of an image's squares, row by row."""
    frames, height, width = grid.tolist()
    sides = (frames, height // merge_size, width // merge_size)
    return torch.cartesian_prod(*(torch.arange(side) for side in sides))
