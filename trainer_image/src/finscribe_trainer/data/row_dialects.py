"""Translates rows of other programs that say the same in other keys: ShareGPT, ERNIEKit, ms-swift, Donut."""

from typing import Any

from finscribe_trainer.data.row_fields import RowError, json_type, read_answer
from finscribe_trainer.documents.numbers import load_json
from finscribe_trainer.documents.schema import INSTRUCTION, TEXT_INSTRUCTION

_ROLES = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant", "model", "chatgpt", "bot"), "assistant"),
    "system": "system",
}
_TAGS = {"mask": "user", "no_mask": "assistant"}
_IMAGES = frozenset({"image", "images"})
_OTHER_FORMATS = frozenset(
    (
        *("instruction", "input", "output", "prompt", "completion", "messages", "conversations", "query"),
        *("response", "text_info", "question", "answers"),
    )
)
"""Keys of a row that has a prompt, or whose `text` is not its answer."""


def as_messages(data: dict[str, Any]) -> dict[str, Any]:
    """The row with `messages` instead of another program's keys; any other row unchanged.

    Raises:
        RowError: the keys are those of another program, but their values are not.
    """
    if "messages" in data:
        return data
    if "conversations" in data:
        return _renamed(data, ("conversations", "system"), _from_sharegpt(data))
    if {"image_info", "text_info"} <= data.keys():
        return _renamed(data, ("image_info", "text_info", "system"), _from_erniekit(data))
    if {"query", "response"} <= data.keys():
        return _renamed(data, ("query", "response", "history", "system"), _from_swift(data))
    return data


def lacks_prompt(data: dict[str, Any]) -> bool:
    """Whether a row is that of a data set without prompts: a page with its `ground_truth` or `text`."""
    return bool(_IMAGES & data.keys() and {"ground_truth", "text"} & data.keys()) and not (
        _OTHER_FORMATS & data.keys()
    )


def with_prompt(data: dict[str, Any]) -> dict[str, Any]:
    """A row that `lacks_prompt` with the prompt that its import would give it; any other row unchanged.

    Raises:
        RowError: it has no answer.
    """
    if not lacks_prompt(data):
        return data
    rest = {key: value for key, value in data.items() if key not in ("ground_truth", "text")}
    if "ground_truth" not in data:
        return rest | {"instruction": TEXT_INSTRUCTION, "output": read_answer(data, "text")}
    answer = ground_truth(data)
    return rest | {
        "instruction": TEXT_INSTRUCTION if isinstance(answer, str) else INSTRUCTION,
        "output": answer,
    }


def ground_truth(data: dict[str, Any]) -> Any:
    """The answer of a row of Donut: the `gt_parse` in its `ground_truth`.

    Raises:
        RowError: it has none.
    """
    value = data.get("ground_truth")
    if isinstance(value, str):
        try:
            value = load_json(value)
        except ValueError as error:
            raise RowError(f"its ground_truth is no JSON ({error})") from None
    if not isinstance(value, dict) or not value.get("gt_parse", value.get("gt_parses")):
        raise RowError("its ground_truth has no gt_parse")
    parses = value.get("gt_parse") or value["gt_parses"]
    return parses[0] if isinstance(parses, list) and len(parses) == 1 else parses


def _renamed(data: dict[str, Any], read: tuple[str, ...], messages: list[dict[str, Any]]) -> dict[str, Any]:
    if system := data.get("system"):
        messages = [{"role": "system", "content": system}, *messages]
    return {key: value for key, value in data.items() if key not in read} | {"messages": messages}


def _from_sharegpt(data: dict[str, Any]) -> list[dict[str, Any]]:
    turns = _objects(data["conversations"], "conversations")
    messages = []
    for number, turn in enumerate(turns):
        name = turn.get("from", turn.get("role"))
        role = _ROLES.get(name) if isinstance(name, str) else None
        if role is None:
            raise RowError(f"conversations[{number}].from must be human, gpt or system, not {name!r}")
        messages.append({"role": role, "content": turn.get("value", turn.get("content"))})
    return messages


def _from_erniekit(data: dict[str, Any]) -> list[dict[str, Any]]:
    texts = _objects(data["text_info"], "text_info")
    images = _objects(data["image_info"], "image_info")
    messages: list[dict[str, Any]] = []
    for number, text in enumerate(texts):
        role = _TAGS.get(text.get("tag", ""))
        if role is None:
            raise RowError(f"text_info[{number}].tag must be mask or no_mask, not {text.get('tag')!r}")
        pages = [image for image in images if image.get("matched_text_index", 0) == number]
        if role == "assistant" and pages:
            raise RowError(f"image_info: an image belongs to text_info[{number}], which is an answer")
        parts = [{"type": "image", "image": page.get("image_url")} for page in pages]
        parts.append({"type": "text", "text": text.get("text")})
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += parts
        else:
            messages.append({"role": role, "content": parts})
    placed = sum(part["type"] == "image" for message in messages for part in message["content"])
    if placed != len(images):
        raise RowError("image_info: a matched_text_index is not that of a text in text_info")
    return messages


def _from_swift(data: dict[str, Any]) -> list[dict[str, Any]]:
    history = data.get("history") or []
    if not isinstance(history, list) or not all(
        isinstance(pair, list) and len(pair) == 2 for pair in history
    ):
        raise RowError("history must be a list of pairs of query and response")
    pairs = [*history, [data["query"], data["response"]]]
    return [
        {"role": role, "content": text}
        for pair in pairs
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]


def _objects(value: Any, key: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise RowError(f"{key} must be a list of objects, not {json_type(value)}")
    return value
