"""The folder or file that is imported, and the documents that a format's module finds in it."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from finscribe_trainer.data.document_pages import DOCUMENT_SUFFIXES
from finscribe_trainer.data.rows import Turn

_MAX_JSON_BYTES = 256 * 2**20
"""Largest annotation file that is read into memory as a whole."""
_SERVER = re.compile(r"^(?:[a-z][a-z0-9+.-]*://[^/]*/?|/data/(?:local-files/\?d=|upload/))", re.IGNORECASE)
"""What a labelling tool's server writes before the path of a file."""


@dataclass(frozen=True)
class EmbeddedImage:
    """An image that is part of another file."""

    name: str
    """Tells where it was, such as `train.parquet-17-1`."""
    content: bytes


@dataclass(frozen=True)
class Document:
    """A document with its answer."""

    where: str
    """`file`, or `file:line`."""
    pages: tuple[Path | EmbeddedImage, ...]
    """Files in the order of the pages; a file may have several."""
    answer: Any
    """The completion: a text, or a JSON value."""
    turns: tuple[Turn, ...] = ()
    """The prompt; empty if the format has none. `num_images` counts `pages`."""


@dataclass(frozen=True)
class Dropped:
    """What does not become a row, and why."""

    where: str
    reason: str


class Format(Protocol):
    """What each module of `formats/` contains."""

    def recognise(self, source: "Source") -> str | None:
        """What of the source shows that it has this format, as a clause; None if it does not."""
        ...

    def read(self, source: "Source") -> Iterator[Document | Dropped]:
        """The documents, in a stable order."""
        ...


@dataclass(frozen=True)
class Source:
    """A folder, or one file of a folder."""

    path: Path

    @property
    def root(self) -> Path:
        """The folder; nothing outside it is read."""
        return self.path if self.path.is_dir() else self.path.parent

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """All files below the folder, or the one file; without hidden ones and links that lead out of it."""
        if not self.path.is_dir():
            return (self.path,)
        found = []
        for folder, subfolders, names in os.walk(self.path):
            subfolders[:] = [name for name in subfolders if not name.startswith(".")]
            found += [Path(folder, name) for name in names if not name.startswith(".")]
        return tuple(path for path in sorted(found) if self.holds(path) and path.is_file())

    @cached_property
    def documents(self) -> tuple[Path, ...]:
        """The files that may be pages."""
        return tuple(path for path in self.files if path.suffix.lower() in DOCUMENT_SUFFIXES)

    def with_suffix(self, *suffixes: str) -> list[Path]:
        """The files with one of these suffixes."""
        return [path for path in self.files if path.name.lower().endswith(suffixes)]

    def holds(self, path: Path) -> bool:
        """Whether a path is below the folder, with all links followed."""
        try:
            return path.resolve().is_relative_to(self.root.resolve())
        except (OSError, RuntimeError, ValueError):
            return False

    def name(self, path: Path) -> str:
        """The path of a file as messages give it."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.name

    def find(self, name: str, beside: Path) -> Path | None:
        """The page that an annotation names, relative to its file or to the folder.

        Leading folders of another machine are left out as long as nothing is found, so that
        `/data/local-files/?d=images/0.png` and `/home/me/images/0.png` are `images/0.png`.
        """
        name = unquote(_SERVER.sub("", name.strip())).replace("\\", "/").lstrip("/")
        if "\0" in name or len(name) > 4096:
            return None
        parts = [part for part in name.split("/") if part not in ("", ".")]
        for start in range(len(parts)):
            for folder in dict.fromkeys((beside.parent, self.root)):
                path = folder.joinpath(*parts[start:])
                if self.holds(path) and path.is_file():
                    return path
        same = [path for path in self.documents if parts and path.name == parts[-1]]
        return same[0] if len(same) == 1 else None


def too_large(path: Path) -> bool:
    """Whether a file of annotations has more bytes than are read into memory."""
    return path.stat().st_size > _MAX_JSON_BYTES


def missing(where: str, name: object) -> Dropped:
    """The report of a page that does not exist."""
    return Dropped(where, f"its page {str(name)[:200]!r} is not a file below the folder")
