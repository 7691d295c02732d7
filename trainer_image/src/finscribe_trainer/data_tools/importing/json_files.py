"""Reads the annotation files of other programs, with exact numbers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.row_reader import scan_values
from finscribe_trainer.data_tools.importing.source import Dropped, Source, too_large
from finscribe_trainer.documents.numbers import UNPAIRED_SURROGATE, has_unpaired_surrogate, load_json
from finscribe_trainer.documents.problems import Problem

_HEAD_BYTES = 4096


class AnnotationError(ValueError):
    """A file of annotations can't be read; the message says why."""


def read_json(path: Path) -> Any:
    """The value of a file.

    Raises:
        AnnotationError: it is too large, not UTF-8 or no JSON.
    """
    if too_large(path):
        raise AnnotationError("has more than 256 MiB")
    try:
        text = path.read_text(encoding="utf-8-sig")
        if has_unpaired_surrogate(text):
            raise AnnotationError(UNPAIRED_SURROGATE)
        return load_json(text)
    except UnicodeDecodeError as error:
        raise AnnotationError(f"is not UTF-8 (byte {error.start})") from None
    except OSError as error:
        raise AnnotationError(f"can't be read ({error.strerror})") from None
    except ValueError as error:
        raise AnnotationError(
            str(error) if isinstance(error, AnnotationError) else f"is no JSON ({error})"
        ) from None


def read_object(path: Path) -> dict[str, Any]:
    """The value of a file that is one object.

    Raises:
        AnnotationError: it is none, or see `read_json`.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise AnnotationError("is no JSON object")
    return value


def values(source: Source, path: Path) -> Iterator[tuple[str, Any]]:
    """The rows of a .jsonl file, or of an array in a .json file, with `file:line`; errors as `Dropped`."""
    for where, value in scan_values(DataFile(path, source.name(path))):
        yield where, Dropped(where, value.message) if isinstance(value, Problem) else value


def first_row(path: Path) -> dict[str, Any]:
    """The first row of a file that is an object; empty if there is none."""
    source = Source(path)
    for number, (_, value) in enumerate(values(source, path)):
        if isinstance(value, dict):
            return value
        if number > 20:
            break
    return {}


def head(path: Path) -> str:
    """The beginning of a file, as far as it is text."""
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES).decode("utf-8-sig", "replace")
