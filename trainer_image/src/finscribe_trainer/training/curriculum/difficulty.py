"""Scores the difficulty of training rows from their answers and image sizes."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finscribe_core.atomic_files import write_atomically
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.documents.paths import leaves


@dataclass(frozen=True)
class Parts:
    """Measures of a row's difficulty; higher is harder."""

    answer_characters: int
    """Length of the answer."""
    fields: int
    """Values in the answer's JSON; 0 for an answer that is not JSON."""
    table_rows: int
    """Objects in its lists: line items, transactions."""
    characters_per_megapixel: float
    """Density of the text: the answer's length per size of its images; 0 without image."""


def parts_of(example: Example) -> Parts:
    """The measures of a row, without opening its images."""
    answer = example.row.completion
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError):
        document = None
    structured = isinstance(document, dict | list)
    pixels = sum(width * height for width, height in example.sizes)
    return Parts(
        answer_characters=len(answer),
        fields=sum(1 for _ in leaves(document)) if structured else 0,
        table_rows=sum(1 for _ in _listed_objects(document)),
        characters_per_megapixel=round(len(answer) / pixels * 1e6, 1) if pixels else 0.0,
    )


def _listed_objects(data: Any) -> Iterator[dict[str, Any]]:
    if isinstance(data, list):
        yield from (item for item in data if isinstance(item, dict))
    if isinstance(data, dict | list):
        for item in data.values() if isinstance(data, dict) else data:
            yield from _listed_objects(item)


def difficulties(parts: Sequence[Parts]) -> list[float]:
    """Each row's difficulty from 0 to 1: the percentile rank of the mean of its percentile ranks by measure.

    Ranks need no weights between characters and fields, and one outlier does not make all others look easy.

    Args:
        parts: of every row, at least one.
    """
    table = np.array([list(asdict(part).values()) for part in parts], dtype=float)
    mean = np.mean([_percentiles(column) for column in table.T], axis=0)
    return [float(score) for score in _percentiles(mean).round(6)]


def _percentiles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Percentile ranks: 0 for the lowest value, 1 for the highest; ties get the mean of their ranks."""
    ordered = np.sort(values)
    first = np.searchsorted(ordered, values, side="left")
    last = np.searchsorted(ordered, values, side="right") - 1
    return np.asarray((first + last) / 2 / max(len(values) - 1, 1))


def write_difficulties(
    path: Path, examples: Sequence[Example], scores: Sequence[float], parts: Sequence[Parts]
) -> None:
    """Write a line of JSON for each row: its file and line, its score, and the measures behind it.

    Raises:
        OSError: it can't be written.
    """
    rows = zip(examples, scores, parts, strict=True)
    lines = [
        json.dumps({"where": example.where, "score": score, **asdict(part)}, ensure_ascii=False)
        for example, score, part in rows
    ]
    write_atomically(path, "".join(f"{line}\n" for line in lines).encode())
