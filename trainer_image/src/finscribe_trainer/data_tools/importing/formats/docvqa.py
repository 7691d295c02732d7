"""DocVQA: questions with a list of answers, as one object with `data`, as an array, or one per line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finscribe_trainer.data.rows import Turn
from finscribe_trainer.data_tools.importing.json_files import (
    AnnotationError,
    first_row,
    head,
    read_object,
    values,
)
from finscribe_trainer.data_tools.importing.source import Document, Dropped, Source, missing

_PAGE_KEYS = ("image", "image_path", "file_name", "image_local_name")


def recognise(source: Source) -> str | None:
    """A file has questions and answers."""
    found = _files(source)
    return f"{source.name(found[0])} has question and answers" if found else None


def read(source: Source) -> Iterator[Document | Dropped]:
    """A document for each question that has an answer."""
    for path in _files(source):
        for where, row in _rows(source, path):
            yield row if isinstance(row, Dropped) else _document(source, path, where, row)


def question_and_answer(row: Any) -> tuple[str, str] | None:
    """The question, and the first of its answers."""
    if not isinstance(row, dict):
        return None
    question, answers = row.get("question"), row.get("answers")
    answer = answers[0] if isinstance(answers, list) and answers else answers
    if isinstance(question, str) and question.strip() and isinstance(answer, str) and answer.strip():
        return question, answer
    return None


def _files(source: Source) -> list[Path]:
    found = []
    for path in source.with_suffix(".jsonl", ".json"):
        is_object = '"questionId"' in (start := head(path)) and '"data"' in start
        if is_object or {"question", "answers"} <= first_row(path).keys():
            found.append(path)
    return found


def _rows(source: Source, path: Path) -> Iterator[tuple[str, Any]]:
    if '"data"' not in head(path)[:200]:
        yield from values(source, path)
        return
    name = source.name(path)
    try:
        questions = read_object(path).get("data")
    except AnnotationError as error:
        yield name, Dropped(name, str(error))
        return
    for number, row in enumerate(questions if isinstance(questions, list) else [], start=1):
        yield f"{name}:{number}", row


def _document(source: Source, path: Path, where: str, row: Any) -> Document | Dropped:
    pair = question_and_answer(row)
    if pair is None:
        return Dropped(where, "has no question with an answer")
    name = next((row[key] for key in _PAGE_KEYS if isinstance(row.get(key), str)), "")
    page = source.find(name, path) if name else None
    if page is None:
        return missing(where, name)
    return Document(where, (page,), pair[1], (Turn("user", pair[0], 1),))
