"""Compares how two models read the same documents. Pure: results in, comparison out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import DocumentMetric
from finscribe_trainer.evaluation.results import Record, Results
from finscribe_trainer.metrics.corpus import Difference, Figure, paired_differences

SIGNIFICANT = 0.05
"""A p-value below this is called significant."""
FEWEST_DOCUMENTS = 6
"""With five, a two-sided sign-flip test can't fall below 2 / 2^5 = 0.0625, however clear the difference."""
JUDGED_BY = DocumentMetric.field_accuracy
"""What the headline says, and what decides whether a document got better or worse."""


@dataclass(frozen=True)
class Pair:
    """One figure of both models."""

    name: str
    base: Figure
    tuned: Figure

    @property
    def change(self) -> float:
        """Tuned minus base, from -1 to 1."""
        return self.tuned.value - self.base.value


@dataclass(frozen=True)
class MetricPair(Pair):
    """A metric of both models; its difference is paired by document."""

    difference: Difference


@dataclass(frozen=True)
class Gate(Pair):
    """A gate of the validation: the share of answers that pass it, and all gates before it."""

    ceiling: Figure | None
    """The share of right answers that pass: no model can be asked for more."""


@dataclass(frozen=True)
class Reading:
    """One document as both models read it."""

    base: Record
    tuned: Record
    change: float
    """Tuned minus base in field accuracy, from -1 to 1."""


@dataclass(frozen=True)
class Comparison:
    """Two models on the same documents."""

    base: Results
    tuned: Results
    metrics: tuple[MetricPair, ...]
    """Those that apply to these documents, in the order of DocumentMetric."""
    fields: tuple[Pair, ...]
    """Greatest loss first, greatest gain last."""
    regions: tuple[Pair, ...]
    """Likewise."""
    gates: tuple[Gate, ...]
    """In the order in which they are asked."""
    readings: tuple[Reading, ...]
    """Documents that have fields: greatest loss first, greatest gain last."""

    @property
    def better(self) -> int:
        """Documents that the tuned model reads better."""
        return sum(reading.change > 0 for reading in self.readings)

    @property
    def equal(self) -> int:
        """Documents that both read equally well."""
        return sum(reading.change == 0 for reading in self.readings)

    @property
    def worse(self) -> int:
        """Documents that the tuned model reads worse."""
        return sum(reading.change < 0 for reading in self.readings)

    def regressions(self, count: int) -> tuple[Reading, ...]:
        """The documents on which the tuned model lost most, worst first."""
        return tuple(reading for reading in self.readings[:count] if reading.change < 0)

    def gains(self, count: int) -> tuple[Reading, ...]:
        """The documents on which it gained most, best first."""
        return tuple(reading for reading in self.readings[: -count - 1 : -1] if reading.change > 0)


def compare(base: Results, tuned: Results) -> Comparison:
    """Compare the base model's results with the tuned model's.

    Raises:
        UserError: InvalidConfig when they are of different documents or settings; it names what differs.
    """
    _refuse_different(base, tuned)
    differences = paired_differences(
        [record.score for record in base.documents], [record.score for record in tuned.documents]
    )
    metrics = tuple(
        MetricPair(metric, base.summary.metrics[metric], tuned.summary.metrics[metric], differences[metric])
        for metric in DocumentMetric
        if metric in differences and differences[metric].documents
    )
    return Comparison(
        base,
        tuned,
        metrics,
        fields=_by_change(base.summary.fields, tuned.summary.fields),
        regions=_by_change(base.summary.regions, tuned.summary.regions),
        gates=tuple(
            Gate(name, figure, tuned.summary.gates[name], tuned.ceiling.get(name))
            for name, figure in base.summary.gates.items()
            if name in tuned.summary.gates
        ),
        readings=_readings(base.documents, tuned.documents),
    )


def _refuse_different(base: Results, tuned: Results) -> None:
    sides = [
        {
            "rows (sha256)": results.data.sha256,
            "documents": results.data.documents,
            **asdict(results.settings),
        }
        for results in (base, tuned)
    ]
    different = [
        f"{name} {sides[0][name]} and {sides[1][name]}"
        for name in sides[0]
        if sides[0][name] != sides[1][name]
    ]
    if not different and [r.gold for r in base.documents] != [r.gold for r in tuned.documents]:
        different = ["the right answers"]
    if different:
        raise UserError(
            FailureReason.InvalidConfig,
            f"The results can't be compared, base and tuned differ in: {'; '.join(different)}.",
            "Evaluate both models on the same rows with the same limits; `finscribe compare "
            "--baseline-model ... --finetuned-model ...` does both.",
        )


def _by_change(base: Mapping[str, Figure], tuned: Mapping[str, Figure]) -> tuple[Pair, ...]:
    pairs = [
        Pair(name, figure, tuned[name]) for name, figure in base.items() if name in tuned and figure.documents
    ]
    return tuple(sorted(pairs, key=lambda pair: (pair.change, pair.name)))


def _readings(base: Sequence[Record], tuned: Sequence[Record]) -> tuple[Reading, ...]:
    """Among equal changes of the fields, the likeness of the texts decides: a near miss is less of a loss."""

    def order(reading: Reading) -> tuple[float, float]:
        was, now = (_share(r, DocumentMetric.anls_star) or 0.0 for r in (reading.base, reading.tuned))
        return reading.change, now - was

    readings = []
    for before, after in zip(base, tuned, strict=True):
        was, now = _share(before, JUDGED_BY), _share(after, JUDGED_BY)
        if was is not None and now is not None:
            readings.append(Reading(before, after, now - was))
    return tuple(sorted(readings, key=order))


def _share(record: Record, metric: DocumentMetric) -> float | None:
    ratio = record.score.metrics.get(metric)
    return ratio.numerator / ratio.denominator if ratio is not None and ratio.denominator else None
