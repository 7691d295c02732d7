"""The course of the pretraining: which pages, how many of them, at which learning rate."""

from dataclasses import dataclass

from tools.tiny_model.pages import PageSize


@dataclass(frozen=True)
class Part:
    """Pages of one size.

    Attributes:
        size: Columns and rows in characters.
        pages: Pages in a batch.
        lookups: Questions for the rest of a line, for each page.
        share: Share of the steps of a stage, relative to the other parts.
    """

    size: PageSize
    pages: int
    lookups: int = 2
    share: float = 1.0


@dataclass(frozen=True)
class Stage:
    """A part of the training.

    Attributes:
        name: For curve and progress bar.
        parts: Page sizes, mixed step by step.
        steps: Number of steps.
        decay: Whether the learning rate falls to zero over the stage.
    """

    name: str
    parts: tuple[Part, ...]
    steps: int
    decay: bool = False


SMALL, MEDIUM, LARGE = PageSize(12, 2), PageSize(16, 5), PageSize(20, 10)
LARGER, LARGEST = PageSize(24, 14), PageSize(32, 20)


def _mixture(*shares: int) -> tuple[Part, ...]:
    """Batches of about 2,500 tokens; the shares belong to the sizes from the smallest on."""
    parts = ((SMALL, 24, 1), (MEDIUM, 14, 2), (LARGE, 7, 4), (LARGER, 4, 6), (LARGEST, 2, 8))
    return tuple(Part(*part, share) for part, share in zip(parts, shares, strict=False))


STAGES = (
    Stage("lines", _mixture(1, 1), 400),
    Stage("blocks", _mixture(1, 3, 2), 1000),
    Stage("pages", _mixture(1, 2, 5, 2, 1), 3200),
    Stage("end", _mixture(1, 2, 6, 3, 2), 2200, decay=True),
)
"""Pages grow; small pages stay in the mixture, so that reading stays exact."""

MUON_RATE, ADAM_RATE = 0.02, 2e-3
WARM_UP = 100
"""Steps over which the learning rate rises from zero."""


def rate_factor(stage: Stage, step: int, total: int) -> float:
    """Factor of the learning rates at a step of a stage; `total` counts the steps before it in all stages."""
    warm = min(1.0, (total + 1) / WARM_UP)
    return warm * ((stage.steps - step) / stage.steps if stage.decay else 1.0)
