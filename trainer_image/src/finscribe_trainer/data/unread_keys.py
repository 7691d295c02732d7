"""Finds images under keys that are not read, so that no page is left out silently."""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from finscribe_trainer.data.file_texts import names_file, names_image

_OF_IMAGES = re.compile(r"image|img|picture|photo|page|scan|file", re.IGNORECASE)
"""Keys whose values are probably files; under any other key, a name with an image's suffix is one."""
_LIKE_OURS = re.compile(r"(?:image|img)s?[_-]?(?:\d+|paths?|files?|names?|filenames?)?", re.IGNORECASE)
"""Keys that can only be meant for a page of the row; others may name the origin of one."""


def unread_image(data: Mapping[str, Any], known: Collection[str], images: Collection[str]) -> str | None:
    """A message that names a key with an image that is not read, and the nearest key that is; else None.

    Args:
        data: a row, a message or a part of a message.
        known: the keys that are read.
        images: the images that are read. With any, other keys may name where they come from, so that only
            keys such as `image_2` and `image_path` count.
    """
    for key, value in data.items():
        if key in known or (images and not _LIKE_OURS.fullmatch(key)):
            continue
        is_file = names_file if _OF_IMAGES.search(key) else names_image
        name = next((text for text in _texts(value) if is_file(text) and text.strip() not in images), None)
        if name is not None:
            near = _nearest(key, known, several=isinstance(value, list))
            return f"key {key!r} is not read, but names an image ({name[:100]!r}); write it as {near!r}"
    return None


def _texts(value: Any) -> Iterator[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _nearest(key: str, known: Collection[str], *, several: bool) -> str:
    """The key for images that is spelled most like `key`."""
    keys = [name for name in ("image", "images", "input") if name in known]
    near = difflib.get_close_matches(key.lower(), keys, n=1, cutoff=0.8)
    return near[0] if near else "images" if several else "image"
