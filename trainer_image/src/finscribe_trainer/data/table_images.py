"""Images that are bytes in the rows of a .parquet file: what a row names them, and how they are read."""

import errno
import io
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from finscribe_core.atomic_files import write_atomically
from finscribe_trainer.runtime.files import link_or_copy

if TYPE_CHECKING:
    import pyarrow as pa

IMAGE_COLUMNS = ("image", "images")
"""The columns whose bytes are read as images."""
MAX_GROUP_BYTES = 512 * 2**20
"""Most bytes of images in a row group: to read one, those before it in its group are read, too."""
BATCH_ROWS = 16
BUFFER_BYTES = 2**20
"""Read buffer of each column; without it, a row group's whole column is held in memory."""
_KEPT_BYTES = 64 * 2**20
"""Bytes of images that a process keeps: rows are checked by several threads, nearly in their order."""
_OPEN_TABLES = 4
_NAME = re.compile(
    r"(?P<table>[^/]+\.(?i:parquet))\.images/(?P<row>[1-9][0-9]*)"
    rf"-(?P<column>{'|'.join(IMAGE_COLUMNS)})(?:\.(?P<number>[1-9][0-9]*))?\.[a-z]+"
)
_SUFFIXES = (
    (b"\x89PNG", "png"), (b"\xff\xd8", "jpg"), (b"RIFF", "webp"), (b"BM", "bmp"),
    (b"II*\0", "tif"), (b"MM\0*", "tif"),
)  # fmt: skip


@dataclass(frozen=True)
class TableImage:
    """An image in a table; has what is used of a `Path` to a file."""

    table: Path
    row: int
    """From 1."""
    column: str
    number: int | None
    """Its place in a list of images, from 1; None for a single image."""
    label: str
    """How rows and results name it: `train.parquet.images/17-image.png`."""

    @property
    def name(self) -> str:
        """The last part of the label."""
        return self.label.rpartition("/")[2]

    def __str__(self) -> str:
        return str(self.table.parent / self.label)

    def read_bytes(self) -> bytes:
        """The bytes.

        Raises:
            OSError: the table can't be read, or does not have this image any more.
        """
        return _READER.read(self)

    def open(self, _mode: Literal["rb"] = "rb") -> io.BytesIO:
        """A file with the bytes.

        Raises:
            OSError: as `read_bytes`.
        """
        return io.BytesIO(self.read_bytes())

    def stat(self) -> os.stat_result:
        """Of the table."""
        return self.table.stat()


ImageFile = Path | TableImage
"""Where an image is."""


def readable(file: ImageFile) -> Path | BinaryIO:
    """What `Image.open` takes."""
    return file if isinstance(file, Path) else file.open()


def write_image(image: ImageFile, target: Path) -> None:
    """Write an image to a path that is free; a file is linked.

    Raises:
        OSError: it can't be read or written.
    """
    if isinstance(image, Path):
        link_or_copy(image, target)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, image.read_bytes())


def find_table_image(folder: Path, name: str) -> TableImage | None:
    """The image that a row of a table in `folder` names; None if a name is not that of one."""
    found = _NAME.fullmatch(name)
    if found is None or not (folder / found["table"]).is_file():
        return None
    number = None if found["number"] is None else int(found["number"])
    return TableImage(folder / found["table"], int(found["row"]), found["column"], number, name)


def is_in_table(name: str) -> bool:
    """Whether an image has the name of one in a table."""
    return _NAME.fullmatch(name) is not None


def holds_images(kind: "pa.DataType") -> bool:
    """Whether a column is bytes, an object of `bytes` and `path`, or a list of these."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import, and seldom needed

    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = kind.value_type
    if pa.types.is_struct(kind):
        fields = {kind.field(index).name: kind.field(index).type for index in range(kind.num_fields)}
        if fields.keys() != {"bytes", "path"}:
            return False
        return _is_bytes(fields["bytes"]) or pa.types.is_null(fields["bytes"])
    return _is_bytes(kind)


def with_names(cell: Any, table: str, row: int, column: str) -> Any:
    """A cell of a column of images, with a name in the place of each image's bytes.

    An object without bytes becomes its `path`.
    """
    if isinstance(cell, list):
        return [_named(item, table, f"{row}-{column}.{number}") for number, item in enumerate(cell, start=1)]
    return _named(cell, table, f"{row}-{column}")


def _named(cell: Any, table: str, place: str) -> Any:
    content = _content(cell)
    if not isinstance(content, bytes):
        return content
    suffix = next((suffix for start, suffix in _SUFFIXES if content.startswith(start)), "bin")
    return f"{table}.images/{place}.{suffix}"


def _content(cell: Any) -> Any:
    """The bytes of an image, or what the cell has instead."""
    if isinstance(cell, dict) and cell.keys() == {"bytes", "path"}:
        return cell["path"] if cell["bytes"] is None else cell["bytes"]
    return cell


def _is_bytes(kind: "pa.DataType") -> bool:
    import pyarrow as pa  # noqa: PLC0415

    checks = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(check(kind) for check in checks)


_Version = tuple[Path, int, int]
_Place = tuple[_Version, str, int, int | None]
"""A table's version, the column, the row and the number of an image."""


class _Column:
    """Reads a column of images forwards; a jump back, or to another row group, starts at its first row."""

    def __init__(self, path: Path, column: str) -> None:
        import pyarrow.parquet as pq  # noqa: PLC0415

        self._file: pq.ParquetFile = pq.ParquetFile(path, buffer_size=BUFFER_BYTES)
        self._column = column
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._group = -1
        self._next = 1
        """The row that the next batch begins with."""

    def rows(self, wanted: int) -> Iterator[tuple[int, Any]]:
        """Rows with their cells, up to the batch with the wanted one."""
        group, start = self._group_of(wanted)
        if group != self._group or wanted < self._next:
            self._batches = self._file.iter_batches(
                BATCH_ROWS, row_groups=[group], columns=[self._column], use_threads=False
            )
            self._group, self._next = group, start
        while self._next <= wanted and (batch := next(self._batches, None)) is not None:
            first, self._next = self._next, self._next + batch.num_rows
            yield from enumerate(batch.column(0).to_pylist(), start=first)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _group_of(self, row: int) -> tuple[int, int]:
        """The row group of a row, and its first row."""
        start = 1
        for group in range(self._file.num_row_groups):
            size = self._file.metadata.row_group(group).num_rows
            if row < start + size:
                return group, start
            start += size
        raise OSError(errno.ENOENT, f"it has no row {row} any more")


class _Reader:
    """Reads images of tables; keeps the last ones. For several threads; a forked process begins anew."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Forget all open tables and images."""
        self._lock = threading.Lock()
        self._columns: OrderedDict[tuple[_Version, str], _Column] = OrderedDict()
        self._kept: OrderedDict[_Place, bytes] = OrderedDict()
        self._num_bytes = 0

    def read(self, image: TableImage) -> bytes:
        """See `TableImage.read_bytes`."""
        import pyarrow as pa  # noqa: PLC0415

        stat = image.table.stat()
        version = (image.table, stat.st_mtime_ns, stat.st_size)
        place = (version, image.column, image.row, image.number)
        with self._lock:
            if place in self._kept:
                self._kept.move_to_end(place)
                return self._kept[place]
            try:
                return self._scan(place)
            except (pa.ArrowException, OSError, KeyError) as error:
                self._columns.pop((version, image.column), None)
                message = getattr(error, "strerror", None) or str(error).partition("\n")[0]
                raise OSError(getattr(error, "errno", None) or errno.EIO, message, str(image)) from error

    def _scan(self, wanted: _Place) -> bytes:
        version, column, row, _ = wanted
        found: bytes | None = None
        for number, cell in self._open(version, column).rows(row):
            for place, content in _images_of(version, column, number, cell):
                found = content if place == wanted else found
                self._keep(place, content)
        if found is None:
            raise OSError(errno.ENOENT, "it has no such image any more")
        return found

    def _open(self, version: _Version, column: str) -> _Column:
        key = (version, column)
        if key not in self._columns:
            self._columns[key] = _Column(version[0], column)
            if len(self._columns) > _OPEN_TABLES:
                self._columns.popitem(last=False)[1].close()
        self._columns.move_to_end(key)
        return self._columns[key]

    def _keep(self, place: _Place, content: bytes) -> None:
        self._num_bytes += len(content) - len(self._kept.pop(place, b""))
        self._kept[place] = content
        while self._num_bytes > _KEPT_BYTES:
            self._num_bytes -= len(self._kept.popitem(last=False)[1])


def _images_of(version: _Version, column: str, row: int, cell: Any) -> Iterator[tuple[_Place, bytes]]:
    numbered = enumerate(cell, start=1) if isinstance(cell, list) else [(None, cell)]
    for number, item in numbered:
        if isinstance(content := _content(item), bytes):
            yield (version, column, row, number), content


_READER = _Reader()
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    # Another thread may hold the lock at that time, and files have a common position.
    os.register_at_fork(after_in_child=_READER.forget)
