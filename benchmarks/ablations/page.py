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
    """Two Markdown tables by learning rate and kind of adapter: field accuracy, validation loss."""
    return [
        "Field accuracy by learning rate:",
        "",
        *_by_rate(recorded, lambda results: _percent([result.field_accuracy for result in results])),
        "",
        "Validation loss by learning rate:",
        "",
        *_by_rate(recorded, lambda results: _losses([result.eval_loss for result in results])),
    ]


def _by_rate(recorded: Recorded, shown: Callable[[Sequence[Result]], str]) -> Iterator[str]:
    yield f"| Adapter | {' | '.join(map(rate_text, RATES))} |"
    yield f"|---|{'---:|' * len(RATES)}"
    for targets, rank in product(TARGETS, RANKS):
        row = [of_setting(recorded.results, learning_rate(targets, rank, rate)) for rate in RATES]
        fields = [f"{shown(results)}{_chosen(results)}" for results in row]
        yield f"| {targets}, rank {rank} | {' | '.join(fields)} |"


def _chosen(results: Sequence[Result]) -> str:
    """The rates that `auto` chose, one for each seed."""
    chosen = [result.chosen_rate for result in results if result.chosen_rate is not None]
    return f" with {', '.join(map(rate_text, chosen))}" if chosen else ""


def features(recorded: Recorded) -> list[str]:
    """All other settings, compared with the default, as a Markdown table."""
    default = of_setting(recorded.results, THE_DEFAULT)
    lines = [
        "All other settings, each compared with the default:",
        "",
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
    is_default = setting is THE_DEFAULT
    return [
        *(["nothing", ""] if is_default else [setting.row, setting.name]),
        str(len(results)),
        _percent([result.field_accuracy for result in results]),
        "" if is_default else _verdict(results, default),
        _percent([result.numeric_accuracy for result in results]),
        _percent([result.teds for result in results]),
        _losses([result.train_loss for result in results]),
        _losses([result.eval_loss for result in results]),
        _range([result.cpu_seconds for result in results], "{:.0f}".format),
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


def _losses(values: Sequence[float | None]) -> str:
    return _range([value for value in values if value is not None], "{:.3f}".format)


def _range(values: Sequence[float], text: Callable[[float], str], unit: str = "") -> str:
    """The mean, and the smallest and largest value where there are several."""
    if not values:
        return ""
    spread = f" ({text(min(values))} to {text(max(values))})" if len(values) > 1 else ""
    return f"{text(mean(values))}{unit}{spread}"
