"""A small compressed file never takes gigabytes: it is refused before it is read into memory."""

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finscribe_core.errors import UserError
from finscribe_trainer.data import expansion
from finscribe_trainer.data.dataset import load_dataset
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.jsonl import MAX_ROW_BYTES
from finscribe_trainer.data.row_reader import scan_rows

MIB = 2**20
LIMIT = 4 * MIB
MOST_MEMORY = 64 * MIB


def repeated(value: str, times: int) -> pa.DictionaryArray:
    """A column of one value, which is stored once."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int8()), [value])


def table(path: Path, times: int, group: int | None = None, **columns: pa.Array) -> None:
    table = pa.table({"prompt": repeated("a", times), "completion": repeated("b", times)} | columns)
    pq.write_table(table, path, compression="zstd", row_group_size=group)


def prefixed(path: Path) -> None:
    """Every text repeats nearly all of the text before."""
    texts = ["x" * MIB + str(n) for n in range(40)]
    pq.write_table(
        pa.table({"prompt": texts, "completion": texts}),
        path,
        compression="zstd",
        use_dictionary=False,
        column_encoding={"prompt": "DELTA_BYTE_ARRAY", "completion": "DELTA_BYTE_ARRAY"},
    )


BOMBS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "one text in many rows": ("a.parquet", lambda path: table(path, 100, x=repeated("x" * MIB, 100))),
    "many equal rows": ("a.parquet", lambda path: table(path, 100_000)),
    "many equal rows in many row groups": ("a.parquet", lambda path: table(path, 100_000, 1000)),
    "rows of nothing": (
        "a.parquet", lambda path: pq.write_table(pa.table({"x": pa.nulls(100_000)}), path),
    ),
    "one text": ("a.parquet", lambda path: table(path, 1, x=pa.array(["x" * 40 * MIB]))),
    "texts with a common start": ("a.parquet", prefixed),
    "equal lines": ("a.jsonl.gz", lambda path: lines(path, b'{"prompt": "a", "completion": "b"}\n', 100_000)),
    "empty lines": ("a.jsonl.gz", lambda path: lines(path, b"\n", 100_000)),
    "a long line": ("a.jsonl.gz", lambda path: lines(path, b" " * MIB, 40)),
}  # fmt: skip


def lines(path: Path, line: bytes, times: int) -> None:
    path.write_bytes(gzip.compress(line * times))


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same limits for smaller files, so that the tests are quick."""
    monkeypatch.setattr(expansion, "ALWAYS_ALLOWED", LIMIT)
    monkeypatch.setattr(expansion, "_RATIO", 1)


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize(("name", "write"), BOMBS.values(), ids=BOMBS)
def test_a_file_that_expands_too_much_is_refused_before_it_takes_memory(name, write, tmp_path):
    write(tmp_path / name)
    assert (tmp_path / name).stat().st_size < 200_000
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    tracemalloc.start()

    with pytest.raises(UserError, match=rf"{name}:\d+: "):
        load_dataset(DataFile(tmp_path / name, name), 10**6)

    peak = tracemalloc.get_traced_memory()[1] + max(0, pool.bytes_allocated() - before)
    tracemalloc.stop()
    assert peak < MOST_MEMORY
    *_, (where, problem) = scan_rows(DataFile(tmp_path / name, name))
    assert where.startswith(f"{name}:")
    assert (problem.rule, "expand to more than 4 MiB" in problem.message) == ("expansion", True)


def test_one_row_that_repeats_a_text_is_too_long(tmp_path):
    texts = pa.ListArray.from_arrays([0, 100], repeated("x" * MIB, 100).dictionary_decode())
    table(tmp_path / "a.parquet", 1, x=texts)
    [(where, problem)] = scan_rows(DataFile(tmp_path / "a.parquet", "a.parquet"))
    assert (where, problem.rule) == ("a.parquet:1", "row-too-long")
    assert 100 * MIB > MAX_ROW_BYTES


def test_ordinary_rows_expand_as_much_as_they_need(tmp_path):
    answer = '{"total": "12.00", "lines": [' + ", ".join('{"name": "tea"}' for _ in range(50)) + "]}"
    rows = [{"prompt": "Read.", "completion": answer, "image": f"{n}.png"} for n in range(3000)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet", compression="zstd")
    found = list(scan_rows(DataFile(tmp_path / "a.parquet", "a.parquet")))
    assert [row.images for _, row in found] == [(f"{n}.png",) for n in range(3000)]
