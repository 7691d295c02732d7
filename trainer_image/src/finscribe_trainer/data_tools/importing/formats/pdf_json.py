"""Documents with a JSON file of the same name: `a.pdf` and `a.json`, in one folder or in parallel ones.

The pages of a document may also be files: numbered (`a-1.jpg`, `a-2.jpg`), or in a folder of its name.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from finscribe_trainer.data_tools.importing.json_files import AnnotationError, read_object
from finscribe_trainer.data_tools.importing.source import Document, Dropped, Source

_NUMBERED = re.compile(r"(.+?)[-_ .]*(?:p|pg|page|seite)?[-_ ]*\(?\d+\)?", re.IGNORECASE)
"""The name of a page's file."""


def recognise(source: Source) -> str | None:
    """At least half of the documents have a JSON file."""
    paired = sum(map(len, _pages(source).values()))
    if not paired or 2 * paired < len(source.documents):
        return None
    return f"{paired} of {len(source.documents)} documents have a JSON file of the same name"


def read(source: Source) -> Iterator[Document | Dropped]:
    """A document for each JSON file."""
    pages = _pages(source)
    taken = {page for found in pages.values() for page in found}
    for path in source.with_suffix(".json"):
        if path not in pages:
            yield Dropped(source.name(path), "there is no document of the same name")
            continue
        try:
            yield Document(source.name(path), pages[path], read_object(path))
        except AnnotationError as error:
            yield Dropped(source.name(path), str(error))
    for path in source.documents:
        if path not in taken:
            yield Dropped(source.name(path), "there is no JSON file of the same name")


def _pages(source: Source) -> dict[Path, tuple[Path, ...]]:
    """The files of the document of each JSON file, in the order of their numbers."""
    by_name: dict[str, list[Path]] = defaultdict(list)
    by_number: dict[str, list[Path]] = defaultdict(list)
    by_folder: dict[str, list[Path]] = defaultdict(list)
    for path in source.documents:
        by_name[path.stem].append(path)
        by_folder[path.parent.name].append(path)
        if numbered := _NUMBERED.fullmatch(path.stem):
            by_number[numbered[1]].append(path)
    pages: dict[Path, tuple[Path, ...]] = {}
    taken: set[Path] = set()
    for path in source.with_suffix(".json"):
        same = _beside(by_name.get(path.stem, []), path.parent)
        found = same or _in_one_folder(
            by_folder.get(path.stem, []) or by_number.get(path.stem, []), path.parent
        )
        if found and len(same) <= 1 and not taken & set(found):
            pages[path] = tuple(sorted(found, key=_natural_order))
            taken |= set(found)
    return pages


def _beside(paths: list[Path], folder: Path) -> list[Path]:
    """Those in a folder, or all if none is."""
    return [path for path in paths if path.parent == folder] or paths


def _in_one_folder(paths: list[Path], folder: Path) -> list[Path]:
    """Those in a folder or else all, if they are in one; the pages of two documents would be mixed."""
    found = _beside(paths, folder)
    return found if len({path.parent for path in found}) == 1 else []


def _natural_order(path: Path) -> list[tuple[int, str]]:
    """Sorts page 2 before page 10."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]
