"""Formats the measurements as Markdown tables, and the ratios of the other programs to FinScribe."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from benchmarks.trainer.candidates import OURS, PLAIN
from benchmarks.trainer.measure import Run, Seconds

Runs = dict[str, list[Run]]
"""Runs of each training program by its name, one per round."""


@dataclass(frozen=True)
class Column:
    """A column of a table: one number per run."""

    name: str
    of: Callable[[Run], float]


def times(clock: str) -> list[Column]:
    """Columns with seconds of a run; `clock` is `wall` or `cpu`."""

    def seconds(measured: Seconds) -> float:
        return float(getattr(measured, clock))

    return [
        Column("First epoch", lambda run: seconds(run.epochs[0])),
        Column("Later epochs, each", lambda run: fmean(map(seconds, run.epochs[1:]))),
        Column("All epochs", lambda run: sum(map(seconds, run.epochs))),
        Column("Whole process", lambda run: seconds(run.whole)),
    ]


_PEAK = Column("Peak memory", lambda run: run.peak)


def time_table(runs: Runs, clock: str, tokens: int) -> list[str]:
    """Seconds and tokens per second of every training program.

    Args:
        runs: At least one of each training program.
        clock: `wall` or `cpu`.
        tokens: Of an epoch.
    """
    first, later, *rest = times(clock)
    titles = ["Trainer", *(column.name for column in (first, later, *rest)), "Tokens/s, first", "later"]
    lines = _head(titles)
    for name, done in runs.items():
        cells = [_spread([column.of(run) for run in done], _seconds) for column in (first, later, *rest)]
        rates = [_spread([tokens / column.of(run) for run in done], _count) for column in (first, later)]
        lines.append(_line([name, *cells, *rates]))
    return lines


def ratio_table(runs: Runs, clock: str) -> list[str]:
    """Time of each other training program, divided by FinScribe's."""
    lines = _head(["Time relative to FinScribe", *(column.name for column in times(clock))])
    for name, done in runs.items():
        if name != OURS:
            cells = [_ratio_to_ours(runs, done, column) for column in times(clock)]
            lines.append(_line([name, *cells]))
    return lines


def ratios(ours: Sequence[Run], theirs: Sequence[Run], column: Column) -> list[float]:
    """The other program's value divided by FinScribe's, for each round."""
    return [column.of(other) / column.of(own) for own, other in zip(ours, theirs, strict=True)]


def loss_table(runs: Runs) -> list[str]:
    """Peak memory and losses of every training program."""
    titles = [
        _PEAK.name,
        "Memory relative to FinScribe",
        "Validation loss",
        "Largest difference of a step's loss from the plain Trainer",
    ]
    lines = _head(["Trainer", *titles])
    for name, done in runs.items():
        ratio = "" if name == OURS else _ratio_to_ours(runs, done, _PEAK)
        peak = _spread([run.peak for run in done], lambda size: f"{size / 2**30:.2f} GiB")
        loss = _spread([run.eval_loss for run in done], "{:.4f}".format)
        difference = max(
            largest_difference(run.losses, plain.losses) for run, plain in zip(done, runs[PLAIN], strict=True)
        )
        lines.append(_line([name, peak, ratio, loss, f"{difference:.4f}"]))
    return lines


def largest_difference(losses: Sequence[float], others: Sequence[float]) -> float:
    """The largest absolute difference between the losses of the same step."""
    return max(abs(loss - other) for loss, other in zip(losses, others, strict=True))


def _ratio_to_ours(runs: Runs, done: Sequence[Run], column: Column) -> str:
    return _spread(ratios(runs[OURS], done, column), "{:.2f} x".format)


def _spread(values: Sequence[float], text: Callable[[float], str]) -> str:
    middle, low, high = text(median(values)), text(min(values)), text(max(values))
    return middle if low == high else f"{middle} ({low} - {high})"


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value >= 100 else f"{value:.1f} s"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _head(titles: Sequence[str]) -> list[str]:
    return [_line(titles), "|---" * len(titles) + "|"]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
