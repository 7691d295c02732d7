"""Measures whether the loss depends on the page: the right one, and that of another row."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.images import open_image
from finscribe_trainer.model.families.base import ImageInput
from finscribe_trainer.training.preflight.findings import Defect, Finding

NUM_ROWS = 8
_BUDGET_SECONDS = 30.0
"""Rows are measured until then; one more may follow."""
_NO_EFFECT = 1e-5
"""Differences in nats that rounding explains."""
_READS = 0.1
"""Average difference in nats per token from which on the model reads pages; it is 0.02 with random weights,
and 0.8 with the small model that ships."""
_MIN_PAIRS = 4
_MIN_TOKENS = 20
"""Shorter answers, such as a class, may be the same for many pages."""
_MIN_SHARE = 0.5
"""Least share of the differences that is in favour of the right page. It is 0.95 with the small model that
ships, and 0 on average if images are swapped."""


@dataclass(frozen=True)
class Pair:
    """The losses of a row, in nats per token, with its own page and with another's."""

    own: float
    other: float
    tokens: int
    """Of its answer."""

    @property
    def gain(self) -> float:
        """By how much the right page is better."""
        return self.other - self.own


def measure_pages(
    examples: Sequence[Example], loss: Callable[[Example, list[ImageInput] | None], tuple[float, int]]
) -> list[Pair]:
    """Measure each row with its own page, and with the page of the next row that has another one.

    The other page is scaled to the size of the row's own, so that nothing but its content differs.

    Args:
        examples: rows with images.
        loss: the loss per answer token of a row with these images (its own when None), and their number.
    """
    started = time.monotonic()
    pairs: list[Pair] = []
    for index, example in enumerate(examples):
        others = [*examples[index + 1 :], *examples[:index]]
        other = next((each for each in others if _differs(example, each)), None)
        if other is None:
            continue
        own, tokens = loss(example, None)
        pages: list[ImageInput] = [
            open_image(path).resize(size) for path, size in zip(other.images, example.sizes, strict=True)
        ]
        pairs.append(Pair(own, loss(example, pages)[0], tokens))
        if time.monotonic() - started > _BUDGET_SECONDS:
            break
    return pairs


def _differs(one: Example, other: Example) -> bool:
    return (
        len(one.images) == len(other.images)
        and set(one.image_hashes).isdisjoint(other.image_hashes)
        and one.row.completion != other.row.completion
    )


def page_finding(pairs: Sequence[Pair]) -> Finding | None:
    """The defect that the losses show; None if there is none, or too few of them to tell."""
    if not pairs:
        return None
    own, other = fmean(pair.own for pair in pairs), fmean(pair.other for pair in pairs)
    seen = f"{own:.3f} nats per token with the right page, {other:.3f} with that of another row"
    if all(abs(pair.gain) <= _NO_EFFECT for pair in pairs):
        return Finding(Defect.page_without_effect, f"the loss is the same whatever the page: {seen}")
    long = [pair for pair in pairs if pair.tokens >= _MIN_TOKENS]
    effect = fmean(abs(pair.gain) for pair in long) if long else 0.0
    gain = fmean(pair.gain for pair in long) if long else 0.0
    if len(long) >= _MIN_PAIRS and effect >= _READS and gain < _MIN_SHARE * effect:
        return Finding(
            Defect.swapped_images, f"the answers fit other rows' pages as well as their own: {seen}"
        )
    return None
