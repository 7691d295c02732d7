"""Parses a row in any of the row formats (docs/data.md)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finscribe_trainer.data.exports import export_of_row, refusal, table_row_refusal
from finscribe_trainer.data.file_texts import is_encoded, names_file, names_file_below, names_image
from finscribe_trainer.data.image_marks import MARK
from finscribe_trainer.data.row_dialects import as_messages, with_prompt
from finscribe_trainer.data.row_fields import (
    Role,
    RowError,
    json_type,
    read_answer,
    read_images,
    read_prompt_text,
    read_text,
)
from finscribe_trainer.data.unread_keys import unread_image
from finscribe_trainer.documents.numbers import UNPAIRED_SURROGATE, has_unpaired_surrogate

_IMAGE_KEYS = ("images", "image")
_IMAGE_PARTS = ("image", "image_url")


@dataclass(frozen=True)
class Turn:
    """One message of the prompt."""

    role: Role
    text: str
    num_images: int = 0


@dataclass(frozen=True)
class Row:
    """A parsed row: the prompt, its images and the completion."""

    turns: tuple[Turn, ...]
    completion: str
    images: tuple[str, ...] = ()
    """Paths relative to the folder of the file of rows, in the order in which the turns use them."""


def parse_row(data: Any, root: Path | None = None) -> Row:
    """Parse a row's JSON value from `load_json`.

    Args:
        data: the value.
        root: the folder of the file of rows; an `input` that is the name of one of its files is an image's.

    Raises:
        RowError: a field is missing, empty or of the wrong type; the row names an image that would not be
            read, or has another number of marks than of images.
    """
    if not isinstance(data, dict):
        raise RowError(f"a row must be a JSON object, not {json_type(data)}")
    data = with_prompt(as_messages(data))
    if "messages" in data:
        row = _from_messages(data)
    elif "completion" in data or "prompt" in data:
        row = _from_prompt(data)
    elif "instruction" not in data and (problem := table_row_refusal(data)):
        raise RowError(problem)
    elif "instruction" not in data and (export := export_of_row(data)):
        raise RowError(refusal(export))
    else:
        row = _from_instruction(data, root)
    _check_encodable(row)
    return row


def _from_prompt(data: dict[str, Any]) -> Row:
    prompt, answer = read_text(data, "prompt"), read_answer(data, "completion")
    return _single_turn(prompt, answer, _images(data, (), ("prompt", "completion")), "prompt")


def _from_instruction(data: dict[str, Any], root: Path | None) -> Row:
    instruction = read_text(data, "instruction")
    extra = data.get("input")
    if extra is None:
        extra = ""
    if not isinstance(extra, str):
        raise RowError(f"input must be a text, not {json_type(extra)}")
    answer = read_answer(data, "output")
    if lost := next((key for key in ("system", "history") if data.get(key)), None):
        raise RowError(f"{lost} is not read with an instruction; write the row as messages")
    names = _names_in_input(extra.strip(), root)
    images = (*names, *_images(data, names, ("instruction", "input", "output")))
    prompt = instruction if names or not extra.strip() else f"{instruction}\n{extra}"
    return _single_turn(prompt, answer, images, "instruction")


def _single_turn(prompt: str, answer: str, images: tuple[str, ...], where: str) -> Row:
    text, marks = read_prompt_text(prompt, "user", where)
    return _row([Turn("user", text, marks)], answer, [None] * marks, images)


def _names_in_input(text: str, root: Path | None) -> tuple[str, ...]:
    """The image that an `input` names instead of containing the document's text.

    A name that turns out to be no readable image is reported when the images are checked.
    """
    if is_encoded(text):
        raise RowError("input contains an image as base64; write it to a file, and its path as input")
    lines = text.splitlines()
    if len(lines) > 1 and all(names_image(line) for line in lines):
        raise RowError(f"input names {len(lines)} images; write them as a list, `images`")
    named = names_file(text) or (root is not None and names_file_below(root, text))
    return (text,) if named else ()


def _row(turns: list[Turn], answer: str, slots: list[str | None], images: tuple[str, ...]) -> Row:
    """Put the images of a row at their marks; without any, all images go to the first user turn.

    Args:
        turns: the prompt.
        answer: the completion.
        slots: the images in the prompt's order: a path, or None for a mark, which takes the next of `images`.
        images: the paths under the row's own keys.
    """
    marks = slots.count(None)
    if not slots:
        first = next(index for index, turn in enumerate(turns) if turn.role == "user")
        turns = [*turns]
        turns[first] = replace(turns[first], num_images=len(images))
    elif marks != len(images):
        total = len(images) + len(slots) - marks
        raise RowError(
            f"the prompt has {len(slots)} marks of images ({MARK}), but the row names {total} images; write "
            "a mark for each image, or none"
        )
    remaining = iter(images)
    placed = tuple(next(remaining) if name is None else name for name in slots)
    return Row(tuple(turns), answer, placed or images)


def _images(data: dict[str, Any], others: Sequence[str], format_keys: tuple[str, ...]) -> tuple[str, ...]:
    """The paths under `images` and `image`; one that is in both, or named elsewhere in the row, counts once.

    Args:
        data: the row.
        others: the paths that the row names elsewhere.
        format_keys: the other keys that are read.

    Raises:
        RowError: one is no path, or another key names an image.
    """
    names: list[str] = []
    for key in _IMAGE_KEYS:
        if key in data:
            names += [name for name in read_images(data[key], key) if name not in (*others, *names)]
    if unread := unread_image(data, (*format_keys, *_IMAGE_KEYS), (*others, *names)):
        raise RowError(unread)
    return tuple(names)


def _from_messages(data: dict[str, Any]) -> Row:
    messages = data["messages"]
    if not isinstance(messages, list) or len(messages) < 2:
        raise RowError("messages must be a list that ends with a user's message and the assistant's answer")
    parsed = [_turn(message, f"messages[{i}]") for i, message in enumerate(messages)]
    *prompt, answer = [turn for turn, _ in parsed]
    if answer.role != "assistant" or prompt[-1].role != "user":
        raise RowError("messages must end with a user's message and the assistant's answer")
    if not answer.text.strip():
        raise RowError("the last message, the assistant's, is empty", "empty-answer")
    slots = [slot for _, found in parsed for slot in found]
    inline = [name for name in slots if name is not None]
    return _row(prompt, answer.text, slots, _images(data, inline, ("messages",)))


def _turn(message: Any, where: str) -> tuple[Turn, list[str | None]]:
    """A message, and its images: a path, or None for a mark."""
    role = message.get("role") if isinstance(message, dict) else None
    if role not in ("system", "user", "assistant"):
        raise RowError(f"{where}.role must be system, user or assistant, not {role!r}")
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    texts: list[str] = []
    slots: list[str | None] = []
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in _IMAGE_PARTS and role != "user":
            raise RowError(f"{where} has an image; only a user's message can have images")
        if kind in _IMAGE_PARTS:
            name = _image_of(part)
            slots.extend([None] if name is None else read_images(name, kind))
        elif kind == "text" and isinstance(part.get("text"), str):
            text, marks = read_prompt_text(part["text"], role, where)
            texts.append(text)
            slots += [None] * marks
        else:
            raise RowError(f"{where}.content must be a text, or a list of text and image parts")
    for data, keys in (
        (message, ("role", "content")),
        *((part, ("type", "text", *_IMAGE_PARTS)) for part in parts),
    ):
        if unread := unread_image(data, keys, ()):
            raise RowError(f"{where}: {unread}")
    return Turn(role, "\n".join(texts), len(slots)), slots


def _image_of(part: dict[str, Any]) -> Any:
    """The path in a part with an image, which OpenAI writes as `{"image_url": {"url": path}}`."""
    name = part.get(part["type"])
    return name.get("url") if isinstance(name, dict) else name


def _check_encodable(row: Row) -> None:
    if any(map(has_unpaired_surrogate, (*(turn.text for turn in row.turns), row.completion, *row.images))):
        raise RowError(UNPAIRED_SURROGATE)
