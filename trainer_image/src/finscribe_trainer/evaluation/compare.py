"""Compares how two models read the same documents. Pure: results in, comparison out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import DocumentMetric
from finscribe_trainer.evaluation.report.labels import EXTRA, LABELS
from finscribe_trainer.evaluation.results import DataInfo, Record, Results, Settings
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

    @property
    def documents(self) -> str:
        """To how many documents it applies; both counts where a figure depends on what a model wrote."""
        counts = dict.fromkeys((self.base.documents, self.tuned.documents))
        return " and ".join(map(str, counts))


@dataclass(frozen=True)
class MetricPair(Pair):
    """A metric of both models; its difference is paired by document."""

    name: DocumentMetric
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
    """Those that apply to these documents, in the order of LABELS."""
    extra: tuple[Pair, ...]
    """Likewise, in the order of EXTRA."""
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
    refuse_different((base.data, base.settings), (tuned.data, tuned.settings))
    differences = paired_differences(
        [record.score for record in base.documents], [record.score for record in tuned.documents]
    )
    metrics = tuple(
        MetricPair(metric, base.summary.metrics[metric], tuned.summary.metrics[metric], differences[metric])
        for metric in LABELS
        if metric in differences and metric in base.summary.metrics and metric in tuned.summary.metrics
    )
    return Comparison(
        base,
        tuned,
        metrics,
        extra=tuple(
            Pair(name, base.summary.extra[name], tuned.summary.extra[name])
            for name in EXTRA
            if name in base.summary.extra and name in tuned.summary.extra
        ),
        fields=_by_change(base.summary.fields, tuned.summary.fields),
        regions=_by_change(base.summary.regions, tuned.summary.regions),
        gates=tuple(
            Gate(name, figure, tuned.summary.gates[name], tuned.ceiling.get(name))
            for name, figure in base.summary.gates.items()
            if name in tuned.summary.gates
        ),
        readings=_readings(base.documents, tuned.documents),
    )


def refuse_different(base: tuple[DataInfo, Settings], tuned: tuple[DataInfo, Settings]) -> None:
    """Refuse to compare what was read from other documents or with other settings.

    Raises:
        UserError: InvalidConfig, naming what differs.
    """
    sides = [
        {"the rows' sha256": data.sha256, "documents": data.documents, **asdict(settings)}
        for data, settings in (base, tuned)
    ]
    different = [
        f"{name} ({sides[0][name]} and {sides[1][name]})"
        for name in sides[0]
        if sides[0][name] != sides[1][name]
    ]
    if different:
        raise UserError(
            FailureReason.InvalidConfig,
            f"Base and tuned can't be compared, they differ in: {', '.join(different)}.",
            "Read the same documents with the same limits: `finscribe compare` does so itself when it is "
            "given both models.",
        )


def _by_change(base: Mapping[str, Figure], tuned: Mapping[str, Figure]) -> tuple[Pair, ...]:
    pairs = [Pair(name, figure, tuned[name]) for name, figure in base.items() if name in tuned]
    return tuple(sorted(pairs, key=lambda pair: (pair.change, pair.name)))


def _readings(base: Sequence[Record], tuned: Sequence[Record]) -> tuple[Reading, ...]:
    """Among equal changes of the fields, the likeness of the texts decides: a near miss is less of a loss."""
    readings = []
    for before, after in zip(base, tuned, strict=True):
        change = _change(before, after, JUDGED_BY)
        if change is not None:
            likeness = _change(before, after, DocumentMetric.anls_star) or 0.0
            readings.append((change, likeness, Reading(before, after, change)))
    return tuple(reading for *_, reading in sorted(readings, key=lambda entry: entry[:2]))


def _change(before: Record, after: Record, metric: DocumentMetric) -> float | None:
    was, now = (record.score.metrics[metric].value for record in (before, after))
    return None if was is None or now is None else now - was
