"""Whether a tuned model is good enough for `latest.json` to name it."""

from finscribe_core.report import GATE_MESSAGE_LIMIT, GateVerdict
from finscribe_core.trainer_config import GateSpec
from finscribe_trainer.metrics.corpus import Summary


def judge(gate: GateSpec, base: Summary, tuned: Summary) -> GateVerdict:
    """The gate's verdict on the figures themselves; their intervals are said for people.

    A figure that no document has (TEDS without a table) fails the gate: nothing was shown.
    """
    was, is_now = base.metrics.get(gate.metric), tuned.metrics.get(gate.metric)
    if was is None or is_now is None or not is_now.documents:
        return GateVerdict(passed=False, message=f"No document has a {gate.metric}, so the gate can't pass.")
    shown = f"{gate.metric} is {is_now.value:.4g} [{is_now.low:.4g}, {is_now.high:.4g}]"
    problems = []
    if gate.minimum is not None and is_now.value < gate.minimum:
        problems.append(f"less than the minimum {gate.minimum:g}")
    if gate.minimum_improvement is not None and is_now.value - was.value < gate.minimum_improvement:
        problems.append(
            f"{is_now.value - was.value:+.4g} against the base model's {was.value:.4g}, less than the "
            f"improvement {gate.minimum_improvement:g}"
        )
    verdict = ", and ".join(problems) if problems else "which the gate asks for"
    return GateVerdict(passed=not problems, message=f"{shown}, {verdict}."[:GATE_MESSAGE_LIMIT])
