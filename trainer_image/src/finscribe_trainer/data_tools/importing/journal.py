"""Records each imported document, so that an import that was stopped continues where it was."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, TextIO

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.documents.numbers import dump_json, load_json


class Journal:
    """A file with a line for the settings, and one for each document.

    Args:
        path: the file; one that exists is continued.
        digest: the settings of the import.
    """

    def __init__(self, path: Path, digest: str) -> None:
        self._path = path
        self._digest = digest
        self._known: set[str] = set()
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        """Open the file.

        Raises:
            UserError: InvalidConfig when it is of an import with other settings.
        """
        self._drop_torn_line()
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        if lines and json.loads(lines[0]) != self._digest:
            raise UserError(
                FailureReason.InvalidConfig,
                f"{self._path.parent} holds an unfinished import with another source or other settings.",
                "Use the same command again, name another folder, or pass --overwrite.",
            )
        self._known = {load_json(line)["where"] for line in lines[1:]}
        self._file = self._path.open("a", encoding="utf-8")
        if not lines:
            self._write(json.dumps(self._digest))
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def __contains__(self, where: str) -> bool:
        return where in self._known

    def add(self, where: str, entry: dict[str, Any]) -> None:
        """Record a document."""
        self._known.add(where)
        self._write(dump_json({"where": where, **entry}))

    def entries(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every document, in the order in which they were added."""
        with self._path.open(encoding="utf-8") as file:
            next(file)
            for line in file:
                entry = load_json(line)
                yield entry["where"], entry

    def remove(self) -> None:
        """Delete the file: the import is complete."""
        self._path.unlink()

    def _write(self, line: str) -> None:
        assert self._file
        self._file.write(line + "\n")
        self._file.flush()

    def _drop_torn_line(self) -> None:
        """Remove the part of a line that a killed process left."""
        if not self._path.exists():
            return
        with self._path.open("rb+") as file:
            content = file.read()
            file.seek(content.rfind(b"\n") + 1, os.SEEK_SET)
            file.truncate()
