"""Documents with a JSON file of the same name: `a.pdf` and `a.json`, in one folder or in parallel ones."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from finscribe_trainer.data_tools.importing.json_files import AnnotationError, read_object
from finscribe_trainer.data_tools.importing.source import Document, Dropped, Source


def recognise(source: Source) -> str | None:
    """At least half of the documents have a JSON file."""
    documents = [path for path in source.documents if path != source.path]
    pairs = len(_pairs(source))
    if not pairs or 2 * pairs < len(documents):
        return None
    return f"{pairs} of {len(documents)} documents have a JSON file of the same name"


def read(source: Source) -> Iterator[Document | Dropped]:
    """A document for each pair."""
    pairs = _pairs(source)
    paired = {*pairs, *pairs.values()}
    for path in (*source.documents, *source.with_suffix(".json")):
        if path in pairs:
            try:
                yield Document(source.name(path), (path,), read_object(pairs[path]))
            except AnnotationError as error:
                yield Dropped(source.name(pairs[path]), str(error))
        elif path not in paired:
            other = "document" if path.suffix.lower() == ".json" else "JSON file"
            yield Dropped(source.name(path), f"there is no {other} of the same name")


def _pairs(source: Source) -> dict[Path, Path]:
    """The JSON file of each document: in the same folder, or else the only one of that name."""
    by_stem = defaultdict(list)
    for path in source.with_suffix(".json"):
        by_stem[path.stem].append(path)
    pairs = {}
    taken: set[Path] = set()
    for path in source.documents:
        found = by_stem.get(path.stem, [])
        beside = [other for other in found if other.parent == path.parent]
        only = (beside or found) if len(beside or found) == 1 else []
        if only and only[0] not in taken:
            pairs[path] = only[0]
            taken.add(only[0])
    return pairs
