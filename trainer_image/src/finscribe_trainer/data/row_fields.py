"""Reads and checks the single fields of a row."""

from typing import Any, Literal

from finscribe_trainer.data.file_texts import is_encoded, names_file
from finscribe_trainer.data.image_marks import MARK, foreign_mark, take_marks
from finscribe_trainer.documents.numbers import dump_json

Role = Literal["system", "user", "assistant"]


class RowError(ValueError):
    """A row is invalid; the message names the field."""

    def __init__(self, message: str, rule: str = "row-format") -> None:
        super().__init__(message)
        self.rule = rule
        """See `Problem.rule`: `row-format` or `empty-answer`."""


def read_text(data: dict[str, Any], key: str) -> str:
    """The text under a key.

    Raises:
        RowError: it is missing, empty, or no text.
    """
    if key not in data:
        raise RowError(
            f"{key} is missing; a row has instruction and output, prompt and completion, or messages"
        )
    value = data[key]
    if not isinstance(value, str):
        raise RowError(f"{key} must be a text, not {json_type(value)}")
    if not value.strip():
        raise RowError(f"{key} is empty")
    return value


def read_answer(data: dict[str, Any], key: str) -> str:
    """The completion; an object or a list is converted to its JSON text.

    Raises:
        RowError: it is missing, empty, or of another type.
    """
    value = data.get(key)
    if value is None or isinstance(value, str):
        if isinstance(value, str) and not value.strip():
            raise RowError(f"{key} is empty", "empty-answer")
        return read_text(data, key)
    if not isinstance(value, dict | list):
        raise RowError(f"{key} must be a text, an object or a list, not {json_type(value)}")
    if not value:
        raise RowError(f"{key} is empty", "empty-answer")
    return dump_json(value)


def read_images(value: Any, key: str) -> tuple[str, ...]:
    """The paths in a value: one, or a list.

    Raises:
        RowError: it is null, or no path.
    """
    if value is None:
        raise RowError(f"{key} is null; write the image's path, or remove the key of a row without image")
    names = value if isinstance(value, list) else [value]
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise RowError(f"image must be a path (or images a list of paths), not {json_type(name)}")
        if is_encoded(name):
            raise RowError(f"{key} contains an image as base64; write it to a file, and its path as {key}")
    return tuple(name.strip() for name in names)


def read_prompt_text(text: str, role: Role, where: str) -> tuple[str, int]:
    """A text of the prompt without its marks of images, and their number.

    In the assistant's answers, a mark is text like any other.

    Raises:
        RowError: the text has a mark of another program, or is only the name of a file.
    """
    if role == "assistant":
        return text, 0
    text, marks = take_marks(text)
    if marks and role == "system":
        raise RowError(f"{where} has a mark of an image ({MARK}); only a user's message can have images")
    if mark := foreign_mark(text):
        raise RowError(f"{where} contains {mark!r}, which is no mark of an image here; write {MARK}")
    if names_file(text) and len(text.split()) == 1:
        raise RowError(f"{where} is the name of a file, which would be read as text; name it in `images`")
    return text, marks


def json_type(value: Any) -> str:
    """The JSON type of a value, for messages."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
