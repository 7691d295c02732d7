"""Results of the scenarios: kept in one file as each ends, and shown as tables."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.operator.candidates import OURS
from benchmarks.operator.figures import TITLES, Figures
from benchmarks.operator.ranges import Measured, Verdict, judge, read_ranges
from benchmarks.operator.scenarios.catalogue import SCENARIOS, Scenario
from finscribe_core.atomic_files import write_atomically

FILE = Path(__file__).with_name("results.json")
PAGE = Path(__file__).with_name("RESULTS.md")
DOCS = Path(__file__).parents[2] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- operator: made by `make bench-operator` -->", "<!-- end of operator -->"


@dataclass
class Result:
    """What was measured in a scenario."""

    jobs: int
    machine: str
    """Cores, versions and date."""
    figures: dict[str, list[Figures]] = field(default_factory=dict)
    """By candidate, one entry for each round."""
    note: str = ""
    """Why a candidate is missing."""

    def value(self, candidate: str, figure: str) -> float | None:
        """The median of the rounds; None if it was not measured."""
        values = [each[figure] for each in self.figures.get(candidate, []) if figure in each]
        return median(values) if values else None


Results = dict[str, Result]
"""By name of the scenario."""


def read_results(file: Path = FILE) -> Results:
    """The results in the repository; none if there is no such file."""
    if not file.exists():
        return {}
    found = json.loads(file.read_text(encoding="utf-8"))
    return {name: Result(**entry) for name, entry in found.items()}


def write_results(results: Results) -> None:
    """Write the results, and the pages that show them."""
    ordered = {name: asdict(results[name]) for name in SCENARIOS if name in results}
    write_atomically(FILE, (json.dumps(ordered, indent=1) + "\n").encode())
    text = "\n".join(tables(results))
    write_atomically(PAGE, f"# Results of `make bench-operator`\n\n{text}\n".encode())
    page = DOCS.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    shown = "\n".join(_verdict_table(verdicts(results)))
    write_atomically(DOCS, f"{before}{BEGIN}\n\n{shown}\n\n{END}{after}".encode())


def verdicts(results: Results) -> list[Verdict]:
    """A verdict for each range."""
    measured = {
        name: Measured(result.jobs, SCENARIOS[name].jobs, partial(result.value, OURS))
        for name, result in results.items()
    }
    return list(judge(read_ranges(), measured))


def tables(results: Results) -> Iterator[str]:
    """The lines of all tables."""
    yield from _verdict_table(verdicts(results))
    for name, scenario in SCENARIOS.items():
        if name in results:
            yield from _scenario_table(scenario, results[name])


def _verdict_table(found: Sequence[Verdict]) -> Iterator[str]:
    yield from ("| Scenario | Figure | Range | Measured | In range |", "|---|---|---|---:|---|")
    for each in found:
        scenario, title = SCENARIOS[each.range.scenario], TITLES[each.range.figure]
        value = "" if each.value is None else f"{_short(each.value)} {title.unit}".strip()
        bound = f"{each.range.text} {title.unit}".strip()
        yield f"| {scenario.title} | {title.text} | {bound} | {value} | {each.text} |"


def _scenario_table(scenario: Scenario, result: Result) -> Iterator[str]:
    names = [name for name in TITLES if any(name in each[0] for each in result.figures.values())]
    rounds = {len(each) for each in result.figures.values()}
    yield from ("", f"## {scenario.title}", "")
    times = "once" if rounds == {1} else f"{max(rounds)} times, in turns: median (lowest to highest)"
    yield f"{result.jobs} jobs, {times}. {result.machine} {result.note}".strip()
    yield from ("", f"| | {' | '.join(result.figures)} |", f"|---|{'---:|' * len(result.figures)}")
    for name in names:
        cells = [_cell([each[name] for each in done if name in each]) for done in result.figures.values()]
        title = TITLES[name]
        text = f"{title.text}, {title.unit}" if title.unit else title.text
        yield f"| {text} | {' | '.join(cells)} |"


def _cell(values: list[float]) -> str:
    if not values:
        return ""
    if len(values) == 1:
        return _short(values[0])
    return f"{_short(median(values))} ({_short(min(values))} to {_short(max(values))})"


def _short(value: float) -> str:
    """Three digits, whole numbers whole.

    >>> _short(0.1234), _short(75.04), _short(4321.0)
    ('0.123', '75', '4321')
    """
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
