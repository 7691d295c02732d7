"""Hugging Face data sets as Parquet, whose images are bytes in a column: rows, Donut, questions or fields."""

import math
from collections.abc import Iterator
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from finscribe_trainer.data.expansion import Expansion
from finscribe_trainer.data.parquet import declared_expansion
from finscribe_trainer.data.row_dialects import ground_truth
from finscribe_trainer.data.rows import Turn
from finscribe_trainer.data_tools.importing.formats.docvqa import question_and_answer
from finscribe_trainer.data_tools.importing.formats.imagefolder import answer_of
from finscribe_trainer.data_tools.importing.formats.rows import row_document
from finscribe_trainer.data_tools.importing.source import Document, Dropped, EmbeddedImage, Source, missing

_BATCH_ROWS = 16
_ROW_KEYS = frozenset({"messages", "conversations", "completion", "instruction", "query"})


def recognise(source: Source) -> str | None:
    """There is a table."""
    found = source.with_suffix(".parquet")
    return f"{source.name(found[0])} is a Parquet table" if found else None


def read(source: Source) -> Iterator[Document | Dropped]:
    """A document for each row."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import
    import pyarrow.parquet as pq  # noqa: PLC0415

    for path in source.with_suffix(".parquet"):
        name, number = source.name(path), 0
        try:
            with pq.ParquetFile(path) as table:
                if problem := declared_expansion(table.metadata, Expansion(path.stat().st_size)):
                    yield Dropped(name, problem.message)
                    continue
                for batch in table.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
                    for row in batch.to_pylist():
                        number += 1
                        yield _document(source, path, f"{name}:{number}", row)
        except (pa.ArrowException, OSError, ValueError) as error:
            yield Dropped(f"{name}:{number + 1}", f"the table is damaged from here on ({str(error)[:200]})")


def _document(source: Source, path: Path, where: str, row: dict[str, Any]) -> Document | Dropped:
    images: dict[str, EmbeddedImage] = {}
    try:
        value = _with_names(row, where.replace(":", "-").replace("/", "-"), images)
    except TypeError as error:
        return Dropped(where, str(error))
    if _ROW_KEYS & value.keys():
        return row_document(source, path, where, value, images)
    named = [key for key in ("images", "image", "page", "pages") if key in value]
    names = value.get(named[0], []) if named else list(images)
    pages: list[Path | EmbeddedImage] = []
    for name in names if isinstance(names, list) else [names]:
        page = images.get(name) or source.find(str(name), path)
        if page is None:
            return missing(where, name)
        pages.append(page)
    if pair := question_and_answer(value):
        return Document(where, tuple(pages), pair[1], (Turn("user", pair[0], len(pages)),))
    try:
        answer = ground_truth(value) if "ground_truth" in value else answer_of(value, {*named})
    except ValueError as error:
        return Dropped(where, str(error))
    return Document(where, tuple(pages), answer)


def _with_names(value: Any, prefix: str, images: dict[str, EmbeddedImage]) -> Any:
    """The value with a name in the place of each image, and without nulls.

    Raises:
        TypeError: JSON has no such value.
    """
    if isinstance(value, dict) and value.keys() == {"bytes", "path"}:
        value = value["path"] if value["bytes"] is None else value["bytes"]
    if isinstance(value, bytes):
        name = f"{prefix}-{len(images) + 1}"
        images[name] = EmbeddedImage(name, value)
        return name
    if isinstance(value, dict):
        return {key: _with_names(item, prefix, images) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_with_names(item, prefix, images) for item in value]
    if isinstance(value, float) and math.isfinite(value):
        return Decimal(repr(value))
    if isinstance(value, date | time):
        return value.isoformat()
    if not isinstance(value, str | int | bool | Decimal | None):
        raise TypeError(f"a column contains a {type(value).__name__}, which JSON does not have")
    return value
