"""Decides whether a tuned model passes the gate (evaluation.gate), which `latest.json` depends on."""

from collections.abc import Iterator
from dataclasses import dataclass

from finscribe_core.report import GATE_MESSAGE_LIMIT, GateVerdict
from finscribe_core.trainer_config import DocumentMetric, GateMetric, GateSpec
from finscribe_trainer.evaluation.calibration import StraightThrough
from finscribe_trainer.evaluation.results import Results
from finscribe_trainer.metrics.corpus import MetricEstimate
from finscribe_trainer.metrics.non_inferiority import (
    FieldChange,
    FieldChanges,
    documents_needed,
    field_changes,
)

_NAMED = 3
"""Fields that a message names."""
_NAME_CHARACTERS = 40


@dataclass(frozen=True)
class Reference:
    """The model that the tuned one is compared with, on the same documents."""

    results: Results
    run: str | None = None
    """The promoted run; None for the base model."""
    note: str = ""
    """Why it is the base model though the gate asks for the promoted run; empty otherwise."""

    @property
    def whose(self) -> str:
        """The possessor of its metrics."""
        return f"the promoted run {self.run}'s" if self.run else "the base model's"


@dataclass(frozen=True)
class Judgement:
    """The gate's verdict with what it was taken from."""

    verdict: GateVerdict
    fields: FieldChanges | None = None
    """The changes of the fields, if the gate has a requirement on them."""
    margin: float = 0.0
    """The fall of a field that was tested for."""


def judge(
    gate: GateSpec, reference: Reference, tuned: Results, unattended: StraightThrough | None = None
) -> Judgement:
    """Compare the metric with the gate's limits, and each field with the reference's.

    The metric is compared by its value; its confidence interval appears in the message only. A metric that
    applies to no document (TEDS without a table) fails the gate. Fields are compared by the lower bound of
    their change.

    Args:
        gate: the requirement.
        reference: the other model.
        tuned: results of the tuned model.
        unattended: what the tuned model's threshold for a precision of 95 % does on the same documents.
    """
    if gate.metric is GateMetric.straight_through_rate:
        found, before = _rate(unattended), _rate(unattended)
    else:
        metric = DocumentMetric(gate.metric)
        found, before = (side.summary.metrics.get(metric) for side in (tuned, reference.results))
    if found is None or before is None or not found.documents:
        message = f"{gate.metric} applies to no document, so the gate can't pass."
        return Judgement(GateVerdict(passed=False, message=message))
    value = f"{gate.metric} is {found.value:.4g} [{found.low:.4g}, {found.high:.4g}]"
    changes = _field_changes(gate, reference, tuned)
    margin = gate.per_field.margin if gate.per_field else 0.0
    problems = list(_metric_problems(gate, reference, found.value, before.value))
    if changes is not None:
        problems += _field_problems(changes, margin, reference)
    message = f"{value}, {', and '.join(problems)}." if problems else f"{value}: the gate passed."
    if reference.note:
        message = f"{reference.note} {message}"
    elif not problems and gate.compares and reference.run:
        message = f"{message} Compared with the run {reference.run}."
    fallen = [change.name[:64] for change in changes.below(margin)[:_NAMED]] if changes else []
    verdict = GateVerdict(
        passed=not problems,
        message=_cut(message, GATE_MESSAGE_LIMIT),
        against=reference.run,
        fallen_fields=fallen,
    )
    return Judgement(verdict, changes, margin)


def _rate(unattended: StraightThrough | None) -> MetricEstimate | None:
    if unattended is None:
        return None
    share = unattended.accepted
    return MetricEstimate(share.value, share.low, share.high, share.documents)


def _metric_problems(gate: GateSpec, reference: Reference, value: float, before: float) -> Iterator[str]:
    if gate.minimum is not None and value < gate.minimum:
        yield f"less than the minimum {gate.minimum:g}"
    if gate.minimum_improvement is not None and value - before < gate.minimum_improvement:
        yield (
            f"{value - before:+.4g} against {reference.whose} {before:.4g}, less than the improvement "
            f"{gate.minimum_improvement:g}"
        )


def _field_changes(gate: GateSpec, reference: Reference, tuned: Results) -> FieldChanges | None:
    if gate.per_field is None:
        return None
    before, after = (
        [record.score.fields for record in side.documents] for side in (reference.results, tuned)
    )
    return field_changes(before, after, gate.per_field.margin)


def _field_problems(changes: FieldChanges, margin: float, reference: Reference) -> Iterator[str]:
    if not changes.tested:
        yield (
            f"too few documents to compare fields with a margin of {margin:g}: "
            f"{documents_needed(margin)} with the same field are needed"
        )
    below = changes.below(margin)
    if below:
        more = f" and {len(below) - _NAMED} more" if len(below) > _NAMED else ""
        named = ", ".join(map(_describe, below[:_NAMED]))
        yield f"fields below {reference.whose} by more than {margin:g}: {named}{more}"


def _describe(change: FieldChange) -> str:
    """A field with its change: "vendor.name 0.98 to 0.91 (down to -0.11)"."""
    name = _cut(change.name, _NAME_CHARACTERS)
    return f"{name} {change.before:.3g} to {change.after:.3g} (down to {change.low:+.2g})"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
