"""Parses a row in any of the three row formats (docs/data.md)."""

from dataclasses import dataclass
from typing import Any, Literal

from finscribe_trainer.documents.numbers import UNPAIRED_SURROGATE, dump_json, has_unpaired_surrogate

Role = Literal["system", "user", "assistant"]
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
_PLACEHOLDER = "<image>"


class RowError(ValueError):
    """A row is invalid; the message names the field."""

    def __init__(self, message: str, rule: str = "row-format") -> None:
        super().__init__(message)
        self.rule = rule
        """See `Problem.rule`: `row-format` or `empty-answer`."""


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


def parse_row(data: Any) -> Row:
    """Parse a row's JSON value from `load_json`.

    Raises:
        RowError: a field is missing, empty or of the wrong type.
    """
    if not isinstance(data, dict):
        raise RowError(f"a row must be a JSON object, not {_kind(data)}")
    if "messages" in data:
        row = _from_messages(data)
    elif "completion" in data or "prompt" in data:
        row = _single_turn(data, _required_text(data, "prompt"), _answer(data, "completion"))
    else:
        row = _from_instruction(data)
    _check_encodable(row)
    return row


def _from_instruction(data: dict[str, Any]) -> Row:
    instruction = _required_text(data, "instruction")
    extra = data.get("input")
    if extra is not None and not isinstance(extra, str):
        raise RowError(f"input must be a text, not {_kind(extra)}")
    answer = _answer(data, "output")
    if not extra or not extra.strip():
        return _single_turn(data, instruction, answer)
    if is_image_path(extra):
        return _single_turn({**data, "images": [extra, *_images(data)]}, instruction, answer)
    return _single_turn(data, f"{instruction}\n{extra}", answer)


def is_image_path(text: str) -> bool:
    """Whether a row's `input` is an image path: a single line with the suffix of an image file.

    >>> is_image_path("scans/invoice 7.png"), is_image_path("Total: 12.00")
    (True, False)
    """
    return "\n" not in text and text.strip().lower().endswith(IMAGE_SUFFIXES)


def _single_turn(data: dict[str, Any], prompt: str, completion: str) -> Row:
    images = _images(data)
    return Row((Turn("user", prompt, len(images)),), completion, images)


def _images(data: dict[str, Any]) -> tuple[str, ...]:
    if "image" in data and "images" in data:
        # _from_instruction adds `input` to `images`; `image` follows, unless it is the same file.
        first = _image_list(data["images"])
        return first + tuple(name for name in _image_list(data["image"]) if name not in first)
    return _image_list(data.get("images", data.get("image")))


def _image_list(value: Any) -> tuple[str, ...]:
    names = [] if value is None else value if isinstance(value, list) else [value]
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise RowError(f"image must be a path (or images a list of paths), not {_kind(name)}")
    return tuple(name.strip() for name in names)


def _from_messages(data: dict[str, Any]) -> Row:
    messages = data["messages"]
    if not isinstance(messages, list) or len(messages) < 2:
        raise RowError("messages must be a list that ends with a user's message and the assistant's answer")
    inline: list[str] = []
    turns = [_turn(message, f"messages[{i}]", inline) for i, message in enumerate(messages)]
    *prompt, answer = turns
    if answer.role != "assistant" or prompt[-1].role != "user":
        raise RowError("messages must end with a user's message and the assistant's answer")
    if answer.num_images:
        raise RowError("the last message, the assistant's, must be a text without images")
    if not answer.text.strip():
        raise RowError("the last message, the assistant's, is empty", "empty-answer")
    images = (*inline, *_images(data))
    return Row(_with_images(prompt, len(images)), answer.text, images)


def _turn(message: Any, where: str, inline: list[str]) -> Turn:
    role = message.get("role") if isinstance(message, dict) else None
    if role not in ("system", "user", "assistant"):
        raise RowError(f"{where}.role must be system, user or assistant, not {role!r}")
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    texts, num_images = [], 0
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "image":
            num_images += 1
            inline.extend(_image_list(part.get("image")))
        elif kind == "text" and isinstance(part.get("text"), str):
            num_images += part["text"].count(_PLACEHOLDER)
            texts.append(part["text"].replace(_PLACEHOLDER, ""))
        else:
            raise RowError(f"{where}.content must be a text, or a list of text and image parts")
    return Turn(role, "\n".join(texts), num_images)


def _with_images(turns: list[Turn], num_images: int) -> tuple[Turn, ...]:
    """Check the number of image placeholders; without any, all images go to the first user turn."""
    placed = sum(turn.num_images for turn in turns)
    if placed == num_images:
        return tuple(turns)
    if placed:
        raise RowError(f"messages contain {placed} image placeholders, but the row names {num_images} images")
    first = next(i for i, turn in enumerate(turns) if turn.role == "user")
    turns[first] = Turn("user", turns[first].text, num_images)
    return tuple(turns)


def _required_text(data: dict[str, Any], key: str) -> str:
    if key not in data:
        raise RowError(
            f"{key} is missing; a row has instruction and output, prompt and completion, or messages"
        )
    value = data[key]
    if not isinstance(value, str):
        raise RowError(f"{key} must be a text, not {_kind(value)}")
    if not value.strip():
        raise RowError(f"{key} is empty")
    return value


def _answer(data: dict[str, Any], key: str) -> str:
    """The completion; an object or a list is converted to its JSON text."""
    value = data.get(key)
    if value is None or isinstance(value, str):
        if isinstance(value, str) and not value.strip():
            raise RowError(f"{key} is empty", "empty-answer")
        return _required_text(data, key)
    if not isinstance(value, dict | list):
        raise RowError(f"{key} must be a text, an object or a list, not {_kind(value)}")
    if not value:
        raise RowError(f"{key} is empty", "empty-answer")
    return dump_json(value)


def _check_encodable(row: Row) -> None:
    if any(map(has_unpaired_surrogate, (*(turn.text for turn in row.turns), row.completion, *row.images))):
        raise RowError(UNPAIRED_SURROGATE)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
