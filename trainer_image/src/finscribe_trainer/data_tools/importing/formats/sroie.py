"""SROIE (ICDAR 2019): receipts in `img/`, and a JSON object of the same name in `entities/` or `key/`."""

from collections.abc import Iterator
from pathlib import Path

from finscribe_trainer.data_tools.importing.json_files import AnnotationError, read_object
from finscribe_trainer.data_tools.importing.source import Document, Dropped, Source

_ENTITIES = ("entities", "key")


def recognise(source: Source) -> str | None:
    """There are folders of the benchmark's names."""
    files = _entities(source)
    if not files or not any(path.parent.name == "img" for path in source.documents):
        return None
    return f"there are the folders img/ and {files[0].parent.name}/ with {len(files)} files"


def read(source: Source) -> Iterator[Document | Dropped]:
    """A document for each receipt."""
    images = {path.stem: path for path in source.documents if path.parent.name == "img"}
    entities = {path.stem: path for path in _entities(source)}
    for stem in sorted(images.keys() | entities.keys()):
        if stem not in images:
            yield Dropped(source.name(entities[stem]), "there is no image of the same name in img/")
        elif stem not in entities:
            yield Dropped(source.name(images[stem]), "there is no file of the same name in entities/")
        else:
            try:
                yield Document(source.name(entities[stem]), (images[stem],), read_object(entities[stem]))
            except AnnotationError as error:
                yield Dropped(source.name(entities[stem]), str(error))


def _entities(source: Source) -> list[Path]:
    return [path for path in source.with_suffix(".txt", ".json") if path.parent.name in _ENTITIES]
