"""Decides whether a tuned model passes the gate (evaluation.gate), which `latest.json` depends on."""

from finscribe_core.report import GATE_MESSAGE_LIMIT, GateVerdict
from finscribe_core.trainer_config import GateSpec
from finscribe_trainer.metrics.corpus import CorpusSummary


def evaluate_gate(gate: GateSpec, base: CorpusSummary, tuned: CorpusSummary) -> GateVerdict:
    """Compare the metrics' values with the gate's limits; confidence intervals appear in the message only.

    A metric that applies to no document (TEDS without a table) fails the gate.
    """
    base_metric, metric = base.metrics.get(gate.metric), tuned.metrics.get(gate.metric)
    if base_metric is None or metric is None or not metric.documents:
        return GateVerdict(
            passed=False, message=f"{gate.metric} applies to no document, so the gate can't pass."
        )
    value = f"{gate.metric} is {metric.value:.4g} [{metric.low:.4g}, {metric.high:.4g}]"
    improvement = metric.value - base_metric.value
    problems = []
    if gate.minimum is not None and metric.value < gate.minimum:
        problems.append(f"less than the minimum {gate.minimum:g}")
    if gate.minimum_improvement is not None and improvement < gate.minimum_improvement:
        problems.append(
            f"{improvement:+.4g} against the base model's {base_metric.value:.4g}, less than the "
            f"improvement {gate.minimum_improvement:g}"
        )
    message = f"{value}, {', and '.join(problems)}." if problems else f"{value}: the gate passed."
    return GateVerdict(passed=not problems, message=message[:GATE_MESSAGE_LIMIT])
