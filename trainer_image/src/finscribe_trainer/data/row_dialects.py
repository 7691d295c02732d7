"""Translates rows of other programs that say the same in other keys: ShareGPT, ERNIEKit and ms-swift."""

from typing import Any

from finscribe_trainer.data.row_fields import RowError, json_type

_ROLES = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant", "model", "chatgpt", "bot"), "assistant"),
    "system": "system",
}
_TAGS = {"mask": "user", "no_mask": "assistant"}


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
