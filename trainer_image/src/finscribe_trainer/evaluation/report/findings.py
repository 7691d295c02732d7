"""What a run has found besides the comparison, which its report shows."""

from collections.abc import Iterator
from dataclasses import dataclass

from finscribe_trainer.evaluation.calibration import Calibration, StraightThrough
from finscribe_trainer.evaluation.gate import Judgement
from finscribe_trainer.evaluation.report.labels import percent
from finscribe_trainer.metrics.straight_through import Share


@dataclass(frozen=True)
class Findings:
    """The gate's judgement, the calibration, and notes."""

    notes: tuple[str, ...] = ()
    """Sentences about the training, shown with the caveats."""
    judgement: Judgement | None = None
    calibration: Calibration | None = None
    unattended: tuple[StraightThrough, ...] = ()
    """What the thresholds do on the compared documents."""
    same_documents: bool = False
    """Whether the thresholds were chosen on these documents."""

    def straight_through_rows(self) -> Iterator[tuple[str, ...]]:
        """Promised precision, share without a human, right ones among these, and the validation documents."""
        for found in self.unattended:
            assert self.calibration is not None
            threshold = self.calibration.threshold(found.precision)
            if threshold is None:
                why = self.calibration.why_no_threshold(found.precision)
                yield percent(found.precision), "none", "", why
                continue
            chosen = f"{threshold.accepted} accepted, {threshold.errors} of them not right"
            yield percent(found.precision), _share(found.accepted), _share(found.right), chosen

    @property
    def straight_through_legend(self) -> str:
        """How the rows are read."""
        assert self.calibration is not None
        right = self.calibration.right
        where = "of these documents" if self.same_documents else "validation documents"
        optimistic = ", so the shares are slightly too good" if self.same_documents else ""
        return (
            f"Thresholds were chosen on {right.documents} {where}{optimistic}; {percent(right.value)} of "
            f"them are right in every value. The promise: with a probability of "
            f"{percent(1 - self.calibration.risk)}, at least that share of all documents above the threshold "
            "is right, if they are like those. In brackets: exact 95 % confidence intervals."
        )


def _share(found: Share) -> str:
    return f"{percent(found.value)} [{percent(found.low)}, {percent(found.high)}] of {found.documents}"
