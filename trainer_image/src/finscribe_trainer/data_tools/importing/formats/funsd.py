"""FUNSD: forms in `images/`, and their entities in `annotations/`, where questions are linked to answers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finscribe_trainer.data_tools.importing.json_files import AnnotationError, head, read_object
from finscribe_trainer.data_tools.importing.source import Document, Dropped, Source, missing

_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif")


def recognise(source: Source) -> str | None:
    """Annotations are objects with a form."""
    found = _files(source)
    return f"{len(found)} JSON files such as {source.name(found[0])} have a form" if found else None


def read(source: Source) -> Iterator[Document | Dropped]:
    """A document for each form: an object of questions and answers."""
    for path in _files(source):
        where = source.name(path)
        names = [
            f"{folder}{path.stem}{suffix}" for folder in ("", "images/", "../images/") for suffix in _SUFFIXES
        ]
        page = next(filter(None, (source.find(name, path) for name in names)), None)
        if page is None:
            yield missing(where, path.stem)
            continue
        try:
            answer = _pairs(read_object(path).get("form"))
        except (AnnotationError, KeyError, TypeError, AttributeError) as error:
            yield Dropped(where, f"its form can't be read ({error})")
            continue
        yield Document(where, (page,), answer) if answer else Dropped(where, "no question has an answer")


def _files(source: Source) -> list[Path]:
    return [path for path in source.with_suffix(".json") if '"form"' in head(path)[:200]]


def _pairs(form: Any) -> dict[str, Any]:
    """Each question with its answer, or a list of several; a question that occurs again gets a number."""
    entities = {entity["id"]: entity for entity in form}
    pairs: dict[str, Any] = {}
    for entity in form:
        if entity.get("label") != "question" or not entity["text"].strip():
            continue
        linked = [other for link in entity.get("linking", []) for other in link if other != entity["id"]]
        answers = [
            entities[other]["text"]
            for other in linked
            if other in entities
            and entities[other].get("label") == "answer"
            and entities[other]["text"].strip()
        ]
        if not answers:
            continue
        name, number = entity["text"].strip(), 2
        while name in pairs:
            name, number = f"{entity['text'].strip()} ({number})", number + 1
        pairs[name] = answers[0] if len(answers) == 1 else answers
    return pairs
