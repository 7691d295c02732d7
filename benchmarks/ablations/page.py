"""Writes the tables of docs/ablations.md from the results."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from statistics import mean

from benchmarks.ablations.cells import (
    FEATURES,
    RANKS,
    RATES,
    TARGETS,
    THE_DEFAULT,
    Setting,
    cells,
    learning_rate,
    rate_text,
)
from benchmarks.ablations.results import Recorded, Result, difference, of_setting

PAGE = Path(__file__).parents[2] / "docs" / "ablations.md"
BEGIN = "<!-- results: made by `make ablations ABLATIONS_ARGS=--write` -->\n"
END = "<!-- end of results -->"
NUM_SEEDS = 3
"""Seeds of a complete table."""


def write_page(recorded: Recorded, page: Path = PAGE) -> None:
    """Replace the results on the page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    if not rest:
        raise SystemExit(f"{page}: the line {BEGIN.strip()} is missing. Add it where the results belong.")
    page.write_text(before + BEGIN + block(recorded) + END + rest.partition(END)[2], encoding="utf-8")


def block(recorded: Recorded) -> str:
    """The generated part of the page."""
    return "\n".join(["", *_state(recorded), "", *rates(recorded), "", *features(recorded), "", ""])


def _state(recorded: Recorded) -> Iterator[str]:
    planned = cells(NUM_SEEDS)
    done = sum(cell.id in recorded.results for cell in planned)
    seeds = len(of_setting(recorded.results, THE_DEFAULT))
    yield (
        f"Measured so far: {done} of {len(planned)} trainings, {seeds} of them with the default's settings. "
        f"{recorded.machine}"
    )


def rates(recorded: Recorded) -> list[str]:
    """Field accuracy for each learning rate and kind of adapter, as a Markdown table."""
    lines = [
        f"| Adapter | {' | '.join(map(rate_text, RATES))} |",
        f"|---|{'---:|' * len(RATES)}",
    ]
    for targets, rank in product(TARGETS, RANKS):
        found = [of_setting(recorded.results, learning_rate(targets, rank, rate)) for rate in RATES]
        shown = [_percent([each.field_accuracy for each in results]) for results in found]
        lines.append(f"| {targets}, rank {rank} | {' | '.join(shown)} |")
    return lines


def features(recorded: Recorded) -> list[str]:
    """All other settings, compared with the default, as a Markdown table."""
    default = of_setting(recorded.results, THE_DEFAULT)
    lines = [
        "| Changed | To | Seeds | Field accuracy | Against the default | Numeric accuracy | TEDS "
        "| Training loss | Validation loss | CPU seconds |",
        "|---|---|---:|---:|---|---:|---:|---:|---:|---:|",
    ]
    for setting in (THE_DEFAULT, *FEATURES):
        results = of_setting(recorded.results, setting)
        if results and (setting is THE_DEFAULT or setting.key != THE_DEFAULT.key):
            lines.append(f"| {' | '.join(_row(setting, results, default))} |")
    return lines


def _row(setting: Setting, results: Sequence[Result], default: Sequence[Result]) -> list[str]:
    def column(value: Callable[[Result], float | None]) -> list[float]:
        return [found for result in results if (found := value(result)) is not None]

    is_default = setting is THE_DEFAULT
    return [
        *(["nothing", ""] if is_default else [setting.row, setting.name]),
        str(len(results)),
        _percent(column(lambda result: result.field_accuracy)),
        "" if is_default else _verdict(results, default),
        _percent(column(lambda result: result.numeric_accuracy)),
        _percent(column(lambda result: result.teds)),
        _range(column(lambda result: result.train_loss), "{:.3f}".format),
        _range(column(lambda result: result.eval_loss), "{:.3f}".format),
        _range(column(lambda result: result.cpu_seconds), "{:.0f}".format),
    ]


def _verdict(results: Sequence[Result], default: Sequence[Result]) -> str:
    """The difference of the field accuracies in points, in bold if it is larger than the spread."""
    if not default:
        return "not measured"
    found = difference(*([result.field_accuracy for result in side] for side in (results, default)))
    points = f"{100 * found.value:+.1f} points"
    if found.spread is None:
        return f"{points}, one seed each"
    return f"**{points}**" if found.is_real else f"none: {points}, spread {100 * found.spread:.1f}"


def _percent(values: Sequence[float]) -> str:
    return _range([100 * value for value in values], "{:.1f}".format, " %")


def _range(values: Sequence[float], text: Callable[[float], str], unit: str = "") -> str:
    """The mean, and the smallest and largest value where there are several."""
    if not values:
        return ""
    spread = f" ({text(min(values))} to {text(max(values))})" if len(values) > 1 else ""
    return f"{text(mean(values))}{unit}{spread}"
