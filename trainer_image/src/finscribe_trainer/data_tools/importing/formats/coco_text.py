"""COCO-Text, and other COCO files whose annotations have texts: the text of each image, line by line."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finscribe_trainer.data_tools.importing.json_files import AnnotationError, head, read_object
from finscribe_trainer.data_tools.importing.source import Document, Dropped, Source, missing
from finscribe_trainer.data_tools.importing.text_lines import Box, join_lines

_TEXT_KEYS = ("utf8_string", "text", "transcription", "caption")


def recognise(source: Source) -> str | None:
    """A file has images and annotations."""
    found = _files(source)
    return f"{source.name(found[0])} has images and annotations with their ids" if found else None


def read(source: Source) -> Iterator[Document | Dropped]:
    """A document for each image with a text."""
    for path in _files(source):
        name = source.name(path)
        try:
            data = read_object(path)
            images = _items(data.get("imgs", data.get("images")))
            annotations = _items(data.get("anns", data.get("annotations")))
        except AnnotationError as error:
            yield Dropped(name, str(error))
            continue
        boxes: dict[Any, list[Box]] = defaultdict(list)
        for annotation in annotations:
            if box := _box(annotation):
                boxes[annotation.get("image_id")].append(box)
        for number, image in enumerate(images, start=1):
            where = f"{name}:{number}"
            file_name = image.get("file_name")
            page = source.find(file_name, path) if isinstance(file_name, str) else None
            if page is None:
                yield missing(where, file_name)
            elif text := join_lines(boxes.get(image.get("id"), [])):
                yield Document(where, (page,), text)
            else:
                yield Dropped(where, "has no text")


def _files(source: Source) -> list[Path]:
    found = []
    for path in source.with_suffix(".json"):
        start = head(path)
        is_coco = ('"imgs"' in start or '"images"' in start) and start.lstrip().startswith("{")
        if is_coco and '"file_name"' in start:
            found.append(path)
    return found


def _items(value: Any) -> list[dict[str, Any]]:
    items = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise AnnotationError("has no lists of images and annotations")
    return items


def _box(annotation: dict[str, Any]) -> Box | None:
    text = next((annotation[key] for key in _TEXT_KEYS if isinstance(annotation.get(key), str)), None)
    place = annotation.get("bbox")
    if text is None or not text.strip() or annotation.get("legibility") == "illegible":
        return None
    if not isinstance(place, list) or len(place) != 4:
        return Box(text, 0.0, 0.0, 0.0)
    left, top, _, height = map(float, place)
    return Box(text, left, top, height)
