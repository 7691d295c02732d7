"""Finds and reads the reports of `finscribe data validate`."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MARK = b'"findings_by_rule"'
_MAX_BYTES = 20_000_000
_MAX_DEPTH = 3
SHOWN_FINDINGS = 200


@dataclass(frozen=True)
class DataReport:
    """A report."""

    name: str
    """Its path, for people and for its address."""
    content: dict[str, Any]

    @property
    def pass_rate(self) -> float:
        """Share of the rows without an error, in percent."""
        value = self.content.get("pass_rate")
        return 100 * value if isinstance(value, int | float) else 0.0


def find_data_reports(roots: Sequence[Path]) -> list[DataReport]:
    """The reports below some folders, by name."""
    found = {}
    for root in roots:
        for path in _json_files(root, _MAX_DEPTH):
            if content := _read(path):
                found[str(path)] = DataReport(str(path), content)
    return [found[name] for name in sorted(found)]


def _json_files(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.name.endswith(".json") and entry.is_file(follow_symlinks=False):
            yield Path(entry.path)
        elif (
            depth and entry.is_dir(follow_symlinks=False) and not entry.name.startswith((".", "checkpoint-"))
        ):
            yield from _json_files(Path(entry.path), depth - 1)


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_BYTES or not path.with_suffix(".html").is_file():
            return {}  # a report has an HTML page beside it
        text = path.read_bytes()
        content = json.loads(text) if _MARK in text else {}
    except (OSError, ValueError, RecursionError):
        return {}
    needed = {"input", "rows", "pass_rate", "findings", "findings_by_rule", "errors", "warnings", "hints"}
    return content if isinstance(content, dict) and needed <= content.keys() else {}
