"""The measurements as tables, and FinScribe's against each of the others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from benchmarks.trainer.measure import Run, Seconds
from benchmarks.trainer.sides import OURS, PLAIN

Runs = dict[str, list[Run]]
"""Of each side, by its name, one run a round."""


@dataclass(frozen=True)
class Figure:
    """A column: one number of a run."""

    name: str
    of: Callable[[Run], float]


def times(clock: str) -> list[Figure]:
    """Seconds of a run by a clock, `wall` or `cpu`."""

    def seconds(found: Seconds) -> float:
        return float(getattr(found, clock))

    return [
        Figure("First epoch", lambda run: seconds(run.epochs[0])),
        Figure("Later epochs, each", lambda run: fmean(map(seconds, run.epochs[1:]))),
        Figure("All epochs", lambda run: sum(map(seconds, run.epochs))),
        Figure("Whole process", lambda run: seconds(run.whole)),
    ]


_PEAK = Figure("Peak memory", lambda run: run.peak)


def time_table(runs: Runs, clock: str, tokens: int) -> list[str]:
    """Seconds of every side, and what its epochs come to in tokens per second.

    Args:
        runs: at least one of each side.
        clock: `wall` or `cpu`.
        tokens: of an epoch.
    """
    first, later, *rest = times(clock)
    titles = ["Trainer", *(figure.name for figure in (first, later, *rest)), "Tokens/s, first", "later"]
    lines = _head(titles)
    for name, done in runs.items():
        cells = [_spread([figure.of(run) for run in done], _seconds) for figure in (first, later, *rest)]
        rates = [_spread([tokens / figure.of(run) for run in done], _count) for figure in (first, later)]
        lines.append(_line([name, *cells, *rates]))
    return lines


def ratio_table(runs: Runs, clock: str) -> list[str]:
    """How many times as long as FinScribe each of the others takes."""
    lines = _head(["FinScribe against", *(figure.name for figure in times(clock))])
    for name, done in runs.items():
        if name != OURS:
            cells = [_times_ours(runs, done, figure) for figure in times(clock)]
            lines.append(_line([name, *cells]))
    return lines


def ratios(ours: Sequence[Run], theirs: Sequence[Run], figure: Figure) -> list[float]:
    """Their figure divided by ours, round by round: above 1 is for us."""
    return [figure.of(other) / figure.of(own) for own, other in zip(ours, theirs, strict=True)]


def loss_table(runs: Runs) -> list[str]:
    """Memory, and whether all have learned the same."""
    titles = [_PEAK.name, "FinScribe against it", "Validation loss", "Steps' losses, furthest from plain"]
    lines = _head(["Trainer", *titles])
    for name, done in runs.items():
        ratio = "" if name == OURS else _times_ours(runs, done, _PEAK)
        peak = _spread([run.peak for run in done], lambda size: f"{size / 2**30:.2f} GiB")
        loss = _spread([run.eval_loss for run in done], "{:.4f}".format)
        apart = max(furthest(run.losses, plain.losses) for run, plain in zip(done, runs[PLAIN], strict=True))
        lines.append(_line([name, peak, ratio, loss, f"{apart:.4f}"]))
    return lines


def furthest(losses: Sequence[float], others: Sequence[float]) -> float:
    """The greatest difference between the losses of the same step."""
    return max(abs(loss - other) for loss, other in zip(losses, others, strict=True))


def _times_ours(runs: Runs, done: Sequence[Run], figure: Figure) -> str:
    return _spread(ratios(runs[OURS], done, figure), "{:.2f} x".format)


def _spread(values: Sequence[float], text: Callable[[float], str]) -> str:
    middle, least, most = text(median(values)), text(min(values)), text(max(values))
    return middle if least == most else f"{middle} ({least} - {most})"


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value >= 100 else f"{value:.1f} s"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _head(titles: Sequence[str]) -> list[str]:
    return [_line(titles), "|---" * len(titles) + "|"]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
