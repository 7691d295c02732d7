"""A score as numerator and denominator, so that scores of many documents can be summed."""

from typing import NamedTuple


class Ratio(NamedTuple):
    """A score of one document; a corpus metric is the sum of numerators over the sum of denominators."""

    numerator: float
    """What is correct."""
    denominator: float
    """The total; 0 when the metric does not apply to the document."""

    @property
    def value(self) -> float | None:
        """The quotient; None when the metric does not apply."""
        return self.numerator / self.denominator if self.denominator else None


NOT_APPLICABLE = Ratio(0.0, 0.0)
