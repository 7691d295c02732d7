"""Draws the augmentation parameters of an image from the seed, the view, the row and the image's index."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from finscribe_core.trainer_config import AugmentationSpec

_MAX_CORNER_SHIFT = 0.04
"""Largest shift of a corner by the perspective, as a fraction of the page's width and height."""
_BLUR = (0.4, 1.0)
"""Standard deviation of the blur, in thousandths of the square root of the pixels: pixels at 1 megapixel."""

Shifts = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class AugmentationParams:
    """The augmentation of one image."""

    angle: float = 0.0
    """Rotation in degrees, counter-clockwise."""
    corner_shifts: Shifts = ()
    """Perspective: shifts of the upper left, upper right, lower right and lower left corner, as fractions of
    width and height; empty without perspective."""
    scale: float = 1.0
    """Factor for width and height."""
    brightness: float = 1.0
    contrast: float = 1.0
    blur: float = 0.0
    """Standard deviation, in thousandths of the square root of the page's pixels."""
    noise_std: float = 0.0
    """Standard deviation, as a fraction of white."""
    jpeg_quality: int | None = None
    """None without compression."""
    noise_seed: int = 0

    @property
    def moves_points(self) -> bool:
        """Whether the geometry of the page changes."""
        return bool(self.angle or self.corner_shifts or self.scale != 1)


def view_index(spec: AugmentationSpec, epoch: int) -> int:
    """The index of the view in an epoch: a new one in each epoch, or one of `num_views`.

    >>> [view_index(AugmentationSpec(num_views=2), epoch) for epoch in range(4)]
    [0, 1, 0, 1]
    """
    return epoch if spec.num_views is None else epoch % spec.num_views


def draw_params(spec: AugmentationSpec, seed: int, view: int, row: int, image: int) -> AugmentationParams:
    """Draw the parameters of an image in a view.

    All numbers are drawn whatever the settings are, so that one setting does not affect the others.

    Args:
        spec: ranges and probabilities.
        seed: the run's seed.
        view: see `view_index`.
        row: the row's index among the training rows.
        image: the image's index in its row.
    """
    rng = random.Random(f"{seed}/{view}/{row}/{image}")  # noqa: S311 - image augmentation, not cryptography
    angle, scale, brightness, contrast, noise_std, quality = (
        _within(limits, rng)
        for limits in (
            spec.rotation_range,
            spec.scale_range,
            spec.brightness_range,
            spec.contrast_range,
            spec.noise_std,
            spec.jpeg_quality_range,
        )
    )
    warped, blurred, compressed = rng.random(), rng.random(), rng.random()
    limit = _MAX_CORNER_SHIFT
    corner_shifts = tuple((rng.uniform(-limit, limit), rng.uniform(-limit, limit)) for _ in range(4))
    blur = rng.uniform(*_BLUR)
    return AugmentationParams(
        angle=angle,
        corner_shifts=corner_shifts if warped < spec.perspective_probability else (),
        scale=scale,
        brightness=brightness,
        contrast=contrast,
        blur=blur if blurred < spec.blur_probability else 0.0,
        noise_std=noise_std,
        jpeg_quality=round(quality) if compressed < spec.jpeg_probability else None,
        noise_seed=rng.getrandbits(64),
    )


def _within(limits: Sequence[float], rng: random.Random) -> float:
    least, greatest = limits
    return rng.uniform(least, greatest)
