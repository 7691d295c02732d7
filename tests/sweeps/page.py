"""Writes the operator's table of docs/reliability.md."""

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.sweeps.catalogue import SWEEPS
from tests.sweeps.counts import Counts
from tools.kube.catalogue import KUBERNETES_VERSION

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- sweeps: made by `make sweep-operator` -->\n", "<!-- end of sweeps -->"
HEADINGS = (
    *(
        "Sweep",
        "Case",
        "Seeds",
        "Faults",
        "Jobs",
        "Survived",
        "Lost",
        "Doubled",
        "Stuck",
        "Results lost",
        "Events lost",
    ),
    *("Writes at rest", "Defects", "Seconds", "Load", "CPU", "Date"),
)


@dataclass(frozen=True)
class Row:
    """The result of one case, of all its seeds together."""

    sweep: str
    case: str
    seeds: tuple[int, ...]
    counts: Counts
    seconds: float

    @property
    def line(self) -> str:
        """Its row of the table."""
        cells = [self.sweep, self.case, ", ".join(map(str, self.seeds)), *map(str, self.counts.numbers())]
        load = f"{os.getloadavg()[1]:.0f}"
        cells += [f"{self.seconds:.0f}", load, cpu_name(), f"{datetime.now(UTC):%Y-%m-%d}"]
        return f"| {' | '.join(cells)} |"


def heading() -> list[str]:
    """The versions, and the heading of the table."""
    kind = "--:"
    return [
        f"On {os.cpu_count()} cores, Linux {platform.release().split('-')[0]}, "
        f"Kubernetes {KUBERNETES_VERSION}, Python {platform.python_version()}.",
        "",
        f"| {' | '.join(HEADINGS)} |",
        f"|---|---|{'|'.join([kind] * (len(HEADINGS) - 4))}|---|---|",
    ]


def write(rows: Iterable[Row], path: Path = PAGE) -> None:
    """Replace the rows of these sweeps in the page; those of other sweeps stay."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    old, _, after = rest.partition(END)
    lines = [line for line in old.splitlines() if line.startswith("| ") and "Survived" not in line]
    made = [row.line for row in rows]
    replaced = {line.split(" | ")[0] for line in made}
    kept = [line for line in lines if line.split(" | ")[0] not in replaced]
    order = [f"| {sweep.name}" for sweep in SWEEPS]
    table = sorted([*kept, *made], key=lambda line: order.index(line.split(" | ")[0]))
    text = "\n".join([*heading(), *table])
    path.write_text(f"{before}{BEGIN}\n{text}\n\n{END}{after}", encoding="utf-8")


def cpu_name() -> str:
    """The processor's name, as Linux has it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0].replace("(R)", "").removesuffix(" Processor") if names else platform.machine()
