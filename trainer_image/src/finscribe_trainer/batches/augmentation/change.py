"""What happens to a page in a view: drawn from the seed, the view, the row and the image alone."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from finscribe_core.trainer_config import AugmentationSpec

_BEND = 0.04
"""How far a corner moves in a view from an angle, at most, as a share of the page's sides."""
_BLUR = (0.4, 1.0)
"""Standard deviation of the blur, in thousandths of the square root of the pixels: pixels at 1 megapixel."""

Shifts = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Change:
    """How a page is changed."""

    angle: float = 0.0
    """Degrees it is turned, counter-clockwise."""
    bend: Shifts = ()
    """Where its corners go (upper left, upper right, lower right, lower left), as shares of width and height;
    empty when it is seen straight."""
    scale: float = 1.0
    """Factor of width and height."""
    brightness: float = 1.0
    contrast: float = 1.0
    blur: float = 0.0
    """Standard deviation, in thousandths of the square root of the page's pixels."""
    noise_std: float = 0.0
    """Standard deviation, as a share of white."""
    jpeg_quality: int | None = None
    """None when it is not compressed."""
    noise_seed: int = 0

    @property
    def moves(self) -> bool:
        """Whether any point of the page goes elsewhere."""
        return bool(self.angle or self.bend or self.scale != 1)


def view_of(spec: AugmentationSpec, epoch: int) -> int:
    """Which of a page's views an epoch shows: another one in each, unless there are only `num_views`.

    >>> [view_of(AugmentationSpec(num_views=2), epoch) for epoch in range(4)]
    [0, 1, 0, 1]
    """
    return epoch if spec.num_views is None else epoch % spec.num_views


def draw_change(spec: AugmentationSpec, seed: int, view: int, row: int, image: int) -> Change:
    """The change of an image of a row in a view.

    All numbers are drawn whatever the spec says, so that one setting does not decide about the others.

    Args:
        spec: ranges and probabilities.
        seed: the run's.
        view: as `view_of` tells it.
        row: the row's place among the training rows.
        image: the image's place in its row.
    """
    rng = random.Random(f"{seed}/{view}/{row}/{image}")  # noqa: S311 - a picture, not a secret
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
    bent, blurred, compressed = rng.random(), rng.random(), rng.random()
    bend = tuple((rng.uniform(-_BEND, _BEND), rng.uniform(-_BEND, _BEND)) for _ in range(4))
    blur = rng.uniform(*_BLUR)
    return Change(
        angle=angle,
        bend=bend if bent < spec.perspective_probability else (),
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
