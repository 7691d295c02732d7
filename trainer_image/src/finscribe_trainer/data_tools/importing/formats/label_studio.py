"""Label Studio's JSON export: tasks with `data`, and `annotations` that have texts, labels and choices."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finscribe_trainer.data.file_texts import names_file
from finscribe_trainer.data_tools.importing.json_files import first_row, values
from finscribe_trainer.data_tools.importing.source import Document, Dropped, Source, missing
from finscribe_trainer.data_tools.importing.text_lines import Box, join_lines

_LABELS = ("rectanglelabels", "polygonlabels", "labels", "brushlabels")


def recognise(source: Source) -> str | None:
    """A file has tasks."""
    found = _files(source)
    return f"{source.name(found[0])} has tasks with data and annotations" if found else None


def read(source: Source) -> Iterator[Document | Dropped]:
    """A document for each task with an annotation that was not cancelled."""
    for path in _files(source):
        for where, task in values(source, path):
            if isinstance(task, Dropped):
                yield task
            elif not isinstance(task, dict) or not isinstance(task.get("data"), dict):
                yield Dropped(where, "is no task with data")
            else:
                yield _document(source, path, where, task)


def _files(source: Source) -> list[Path]:
    keys = {"data", "annotations"}
    return [path for path in source.with_suffix(".json", ".jsonl") if keys <= first_row(path).keys()]


def _document(source: Source, path: Path, where: str, task: dict[str, Any]) -> Document | Dropped:
    name = next((text for text in task["data"].values() if isinstance(text, str) and names_file(text)), None)
    page = source.find(name, path) if name else None
    if page is None:
        return missing(where, name)
    annotation = _annotation(task["annotations"])
    if annotation is None:
        return Dropped(where, "has no annotation that was not cancelled")
    try:
        answer = _answer(annotation.get("result") or [])
    except (TypeError, AttributeError, KeyError, ValueError):
        return Dropped(where, "its annotation can't be read")
    return (
        Document(where, (page,), answer) if answer else Dropped(where, "its annotation has no text or choice")
    )


def _annotation(annotations: Any) -> dict[str, Any] | None:
    """The annotation that is marked as the ground truth, or the last."""
    found = [
        item
        for item in annotations
        if isinstance(item, dict) and not item.get("was_cancelled") and item.get("result")
    ]
    marked = [item for item in found if item.get("ground_truth")]
    return (marked or found)[-1] if found else None


def _answer(result: list[dict[str, Any]]) -> Any:
    """Texts by the labels of their regions, choices by their names; without either, the text of the page."""
    labels: dict[str, str] = {}
    for item in result:
        value = item.get("value", {})
        if found := next((value[key] for key in _LABELS if value.get(key)), None):
            labels[item.get("id", "")] = str(found[0])
    texts: dict[str, list[Box]] = defaultdict(list)
    fields: dict[str, list[str]] = defaultdict(list)
    for item in result:
        value = item.get("value", {})
        if "text" in value:
            lines = value["text"] if isinstance(value["text"], list) else [value["text"]]
            text = "\n".join(map(str, lines))
            if label := labels.get(item.get("id", "")):
                fields[label].append(text)
            else:
                place = [float(value.get(key, 0)) for key in ("x", "y", "height")]
                texts[str(item.get("from_name"))].append(Box(text, *place))
        elif "choices" in value:
            fields[str(item.get("from_name"))] += map(str, value["choices"])
        elif "number" in value:
            fields[str(item.get("from_name"))].append(str(value["number"]))
    for name, boxes in texts.items():
        fields[name].append(join_lines(boxes))
    if list(fields) == list(texts) and len(texts) == 1:
        return next(iter(fields.values()))[0]
    return {name: found[0] if len(found) == 1 else found for name, found in fields.items()}
