"""A share, kept as two numbers so that shares of many documents add up."""

from typing import NamedTuple


class Ratio(NamedTuple):
    """A share of one document; a corpus figure is the sum of numerators over the sum of denominators."""

    numerator: float
    """What is right."""
    denominator: float
    """What there was to get right; 0 when the figure does not apply to the document."""

    @property
    def value(self) -> float | None:
        """The share itself, None when it does not apply."""
        return self.numerator / self.denominator if self.denominator else None


NOT_APPLICABLE = Ratio(0.0, 0.0)
