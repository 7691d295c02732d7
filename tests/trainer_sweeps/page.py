"""Writes the trainer's table of docs/reliability.md."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.sweeps.page import cpu_name
from tests.trainer_sweeps.cases import SWEEPS
from tests.trainer_sweeps.counts import Counts

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- sweeps: made by `make sweep-trainer` -->\n", "<!-- end of the trainer's sweeps -->"
HEADINGS = (
    *("Sweep", "Shape", "Cases", "Faults", "Attempts", "Runs", "Survived", "Lost", "Doubled", "Left behind"),
    *("Defects", "Seconds", "CPU", "Date"),
)


@dataclass(frozen=True)
class Row:
    """The result of the cases of a sweep with one number of processes."""

    sweep: str
    shape: str
    cases: int
    counts: Counts
    seconds: float

    @property
    def line(self) -> str:
        """Its row of the table."""
        cells = [self.sweep, self.shape, str(self.cases), *map(str, self.counts.numbers())]
        cells += [f"{self.seconds:.0f}", cpu_name(), f"{datetime.now(UTC):%Y-%m-%d}"]
        return f"| {' | '.join(cells)} |"


def heading() -> list[str]:
    """The heading of the table."""
    return [f"| {' | '.join(HEADINGS)} |", f"|---|---|{'--:|' * (len(HEADINGS) - 4)}---|---|"]


def write(rows: Iterable[Row], path: Path = PAGE) -> None:
    """Replace the rows of these sweeps in the page; those of other sweeps stay."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    old, _, after = rest.partition(END)
    made = [row.line for row in rows]
    replaced = {_sweep(line) for line in made}
    lines = [line for line in old.splitlines() if line.startswith("| ") and "Survived" not in line]
    table = [*(line for line in lines if _sweep(line) not in replaced), *made]
    order = [sweep.name for sweep in SWEEPS]
    table.sort(key=lambda line: order.index(_sweep(line)))
    text = "\n".join([*heading(), *table])
    path.write_text(f"{before}{BEGIN}\n{text}\n\n{END}{after}", encoding="utf-8")


def _sweep(line: str) -> str:
    return line.split(" | ", maxsplit=1)[0].removeprefix("| ")
