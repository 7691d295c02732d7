"""Results of the measurements: one file for each while they are made, one compact file in the repository."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean

from benchmarks.ablations.cells import Cell, Setting
from finscribe_core.atomic_files import write_atomically

RECORDED = Path(__file__).with_name("results.json")
INPUTS = "inputs.json"


@dataclass(frozen=True)
class Result:
    """What was measured in a cell; accuracies are on the test documents, from 0 to 1."""

    key: str
    """Of the setting."""
    seed: int
    field_accuracy: float
    numeric_accuracy: float
    teds: float
    train_loss: float | None
    """Mean of the last logged steps; None for a model that was not trained."""
    eval_loss: float | None
    """Plain cross-entropy of the validation rows after the last step; None where it is another quantity."""
    cpu_seconds: float
    """Of the training, from the start of the session to the saved adapter."""
    wall_seconds: float
    """The same by the clock."""
    chosen_rate: float | None = None
    """Learning rate that `auto` chose."""


@dataclass(frozen=True)
class Inputs:
    """What all results of a table have in common."""

    base: str
    """SHA-256 of the base model's weights."""
    data: str
    """SHA-256 of the training, validation and test rows."""


@dataclass(frozen=True)
class Recorded:
    """The results in the repository."""

    inputs: Inputs | None
    machine: str
    results: Mapping[tuple[str, int], Result]
    """By key and seed."""


def read_recorded(file: Path = RECORDED) -> Recorded:
    """The results in the repository; none if there is no such file."""
    if not file.exists():
        return Recorded(None, "", {})
    data = json.loads(file.read_text(encoding="utf-8"))
    results = [Result(**entry) for entry in data["results"]]
    return Recorded(Inputs(**data["inputs"]), data["machine"], {(r.key, r.seed): r for r in results})


def write_recorded(recorded: Recorded, cells: Iterable[Cell], file: Path = RECORDED) -> None:
    """Write the results of these cells, one in a line; those of settings that are gone are left out."""
    found = [recorded.results[cell.id] for cell in cells if cell.id in recorded.results]
    lines = ",\n".join(json.dumps(asdict(result)) for result in found)
    inputs = json.dumps(asdict(recorded.inputs) if recorded.inputs else None)
    machine = json.dumps(recorded.machine)
    text = f'{{"inputs": {inputs},\n"machine": {machine},\n"results": [\n{lines}\n]}}\n'
    write_atomically(file, text.encode())


def read_inputs(folder: Path) -> Inputs | None:
    """The inputs in a folder; None before anything was measured there."""
    if not (folder / INPUTS).exists():
        return None
    return Inputs(**json.loads((folder / INPUTS).read_text(encoding="utf-8")))


def log_file(folder: Path, cell: Cell) -> Path:
    """The log of a cell's process; it stays when the cell fails."""
    key, seed = cell.id
    return folder / "work" / f"{key}-{seed}.log"


def result_file(folder: Path, cell: Cell) -> Path:
    """The file of a cell's result."""
    key, seed = cell.id
    return folder / "results" / f"{key}-{seed}.json"


def write_result(folder: Path, cell: Cell, result: Result) -> None:
    """Write the result of a cell; the file is complete or not there."""
    file = result_file(folder, cell)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps(asdict(result), indent=2).encode() + b"\n")


def read_results(folder: Path) -> dict[tuple[str, int], Result]:
    """All results in a folder, by key and seed."""
    files = sorted((folder / "results").glob("*.json"))
    found = [Result(**json.loads(file.read_text(encoding="utf-8"))) for file in files]
    return {(result.key, result.seed): result for result in found}


def known_results(folder: Path, machine: str, file: Path = RECORDED) -> Recorded:
    """The results in the folder, and those in the repository if they are of the same base and documents.

    Args:
        folder: Of the benchmark.
        machine: This machine, for a table that is begun.
        file: The results in the repository.
    """
    recorded, results = read_recorded(file), read_results(folder)
    inputs = read_inputs(folder) or recorded.inputs
    if inputs == recorded.inputs:
        return replace(recorded, results={**recorded.results, **results})
    return Recorded(inputs, machine, results)


def of_setting(results: Mapping[tuple[str, int], Result], setting: Setting) -> list[Result]:
    """The results of a setting, one for each seed."""
    return [result for (key, _), result in sorted(results.items()) if key == setting.key]


@dataclass(frozen=True)
class Difference:
    """How the results of a setting differ from those of the default."""

    value: float
    """Difference of the means."""
    spread: float | None
    """The larger of the two ranges (largest minus smallest); None when neither has two seeds."""

    @property
    def is_real(self) -> bool:
        """Whether it is larger than what another seed changes."""
        return self.spread is not None and abs(self.value) > self.spread


def difference(values: Sequence[float], default: Sequence[float]) -> Difference:
    """Compare the values of a setting's seeds with those of the default."""
    ranges = [max(side) - min(side) for side in (values, default) if len(side) > 1]
    return Difference(mean(values) - mean(default), max(ranges, default=None))
