"""PaddleOCR: `Label.txt` of PPOCRLabel (boxes with transcriptions), and `rec_gt.txt` (texts of images)."""

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from finscribe_trainer.data_tools.importing.source import Document, Dropped, Source, missing, too_large
from finscribe_trainer.data_tools.importing.text_lines import box_of_points, join_lines
from finscribe_trainer.documents.numbers import load_json

_PATTERNS = ("*label*.txt", "rec_gt*.txt", "*gt*.txt")


def recognise(source: Source) -> str | None:
    """A text file has an image and its text on each line."""
    found = _files(source)
    return f"{source.name(found[0])} has an image, a tab and its text on each line" if found else None


def read(source: Source) -> Iterator[Document | Dropped]:
    """A document for each line; boxes are joined to lines of text."""
    for path in _files(source):
        for number, line in enumerate(_lines(path), start=1):
            if not line.strip():
                continue
            where = f"{source.name(path)}:{number}"
            name, tab, label = line.partition("\t")
            page = source.find(name, path)
            if page is None:
                yield missing(where, name)
                continue
            try:
                text = _text(label) if tab else ""
            except (ValueError, KeyError, TypeError):
                yield Dropped(where, "its label is not a list of transcriptions with points")
                continue
            yield Document(where, (page,), text) if text.strip() else Dropped(where, "has no text")


def _files(source: Source) -> list[Path]:
    named = [path for path in source.files if any(fnmatch(path.name.lower(), name) for name in _PATTERNS)]
    return [path for path in named if not too_large(path) and "\t" in next(iter(_lines(path)), "")]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8-sig", errors="replace").split("\n")


def _text(label: str) -> str:
    if not label.startswith("[{"):
        return label.strip()
    boxes = load_json(label)
    return join_lines(
        box_of_points(str(box["transcription"]), box["points"])
        for box in boxes
        if not box.get("difficult") and box["transcription"] != "###"
    )
