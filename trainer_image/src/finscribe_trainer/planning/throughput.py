"""How fast trainings were measured, in tokens a second."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Throughput:
    """Tokens a second of one process, prompt and answer."""

    first: float
    """In the first epoch, which also reads the pages."""
    later: float
    source: str
    """Where and how it was measured."""


_MEASURED = {
    37_000_000: Throughput(274, 672, "one CPU thread, benchmarks/trainer/RESULTS.md"),
}
"""On a CPU, by the parameters of the model. On a GPU nothing was measured."""
_TOLERANCE = 0.2


def measured(parameters: int, *, on_cpu: bool) -> Throughput | None:
    """The throughput of a model of about this size, if it was measured."""
    for size, throughput in _MEASURED.items():
        if on_cpu and abs(parameters - size) <= _TOLERANCE * size:
            return throughput
    return None
