"""Every file format yields the same rows, and problems are reported by file and row."""

import gzip
import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.dataset import load_dataset
from finscribe_trainer.data.fetch import fetch_rows
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.jsonl import MAX_ROW_BYTES
from finscribe_trainer.data.row_reader import scan_rows
from finscribe_trainer.data.rows import Row
from finscribe_trainer.documents.problems import Problem
from tests.support.storage import bucket, storage

__all__ = ["bucket", "storage"]
ROWS = [
    {"instruction": "Read.", "input": "a.png", "output": {"total": "12.00", "lines": [{"n": 1}]}},
    {"instruction": "Read.", "output": "13"},
    {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]},
]


def as_lines(rows: list[dict]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def write(path: Path, rows: list[dict]) -> Path:
    """Write rows in the format given by the file name."""
    if path.suffix == ".parquet":
        columns = dict.fromkeys(key for row in rows for key in row)
        pq.write_table(pa.table({key: [row.get(key) for row in rows] for key in columns}), path)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(as_lines(rows)))
    else:
        path.write_bytes(as_lines(rows))
    return path


def scan(path: Path) -> list[tuple[str, Row | Problem]]:
    return list(scan_rows(DataFile(path, path.name)))


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.jsonl.gz", "rows.parquet"])
def test_every_format_yields_the_same_rows(name, tmp_path):
    rows = [ROWS[0], {**ROWS[1], "output": {"total": "13"}}, ROWS[2]]
    found = scan(write(tmp_path / name, rows))
    assert [where for where, _ in found] == [f"{name}:{n}" for n in (1, 2, 3)]
    first, second, third = (row for _, row in found)
    assert (first.images, first.completion) == (("a.png",), '{"total": "12.00", "lines": [{"n": 1}]}')
    assert second.completion == '{"total": "13"}'
    assert third.turns[0].text == "Hi"


def test_numbers_in_answers_keep_their_digits(tmp_path):
    (tmp_path / "r.jsonl").write_text(
        '{"prompt": "a", "completion": {"t": 1204.50, "big": 0.1234567890123456789}}'
    )
    [(_, row)] = scan(tmp_path / "r.jsonl")
    assert row.completion == '{"t": 1204.50, "big": 0.1234567890123456789}'


def test_shards_are_read_in_the_order_of_their_names_and_share_images(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    for name in ("s-2.parquet", "s-1.jsonl.gz", "s-0.jsonl"):
        write(tmp_path / name, ROWS[:1])
    (tmp_path / "notes.txt").write_text("not rows")
    (tmp_path / ".hidden.jsonl").write_text("not rows")
    folder = DataFile(tmp_path, "data/")
    before = load_dataset(folder, max_image_pixels=10**6)
    assert [example.where for example in before.examples] == [
        "data/s-0.jsonl:1",
        "data/s-1.jsonl.gz:1",
        "data/s-2.parquet:1",
    ]
    assert {example.images for example in before.examples} == {(tmp_path / "a.png",)}
    write(tmp_path / "s-2.parquet", [{**ROWS[0], "instruction": "Look."}])
    assert load_dataset(folder, max_image_pixels=10**6).fingerprint != before.fingerprint


REFUSED = {
    "no such file": ("gone.jsonl", FailureReason.DatasetNotFound, "gone.jsonl: no such file"),
    "no such folder": ("gone", FailureReason.DatasetNotFound, "gone: no such file or folder"),
    "a folder without rows": ("empty", FailureReason.DatasetNotFound, "empty: no .jsonl"),
    "another format": ("rows.csv", FailureReason.DatasetInvalid, "rows.csv: the CSV format is not read"),
}


@pytest.mark.parametrize(("name", "reason", "message"), REFUSED.values(), ids=REFUSED)
def test_a_path_without_rows_is_rejected(name, reason, message, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "rows.csv").write_text("a,b")
    with pytest.raises(UserError, match=message) as caught:
        scan(tmp_path / name)
    assert caught.value.reason is reason


def cut(path: Path) -> Path:
    """The file without its last third."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    return path


def noise(count: int) -> list[dict]:
    return [{"prompt": f"{n * 7919 % 1000003}", "completion": f"{n * 104729 % 999983}"} for n in range(count)]


def test_a_truncated_gz_yields_its_rows_and_names_the_last_line(tmp_path):
    *rows, (where, problem) = scan(cut(write(tmp_path / "rows.jsonl.gz", noise(5000))))
    assert len(rows) > 1000
    assert all(isinstance(row, Row) for _, row in rows)
    assert (where, problem.rule) == (f"rows.jsonl.gz:{len(rows) + 1}", "damaged-file")
    assert f"after {len(rows)} rows" in problem.message


def damaged_parquet(path: Path) -> Path:
    pq.write_table(pa.Table.from_pylist(noise(5000)), path, row_group_size=1024, compression="zstd")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "damage", [lambda p: cut(write(p, noise(50))), damaged_parquet], ids=["cut", "damaged"]
)
def test_a_damaged_parquet_file_is_a_problem_at_the_next_row(damage, tmp_path):
    *rows, (where, problem) = scan(damage(tmp_path / "rows.parquet"))
    assert (where, problem.rule) == (f"rows.parquet:{len(rows) + 1}", "damaged-file")


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows.parquet"])
def test_a_huge_row_is_a_problem_and_the_next_one_is_read(name, tmp_path):
    huge = {"prompt": "x" * MAX_ROW_BYTES, "completion": "y"}
    found = [row for _, row in scan(write(tmp_path / name, [huge, {"prompt": "a", "completion": "b"}]))]
    assert found[0].rule == "row-too-long"
    assert found[1].completion == "b"


def test_nested_texts_of_several_row_groups_are_read(tmp_path):
    rows = [
        {"messages": [{"role": role, "content": f"{n}"} for role in ("user", "assistant")]} for n in range(5)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet", row_group_size=2)
    assert [row.completion for _, row in scan(tmp_path / "rows.parquet")] == ["0", "1", "2", "3", "4"]


def test_dates_of_a_table_become_iso_8601(tmp_path):
    rows = [{"prompt": "a", "completion": {"issue_date": date(2026, 1, 31), "due_date": None}}]
    [(_, row)] = scan(write(tmp_path / "rows.parquet", rows))
    assert row.completion == '{"issue_date": "2026-01-31"}'


PROBLEMS = {
    "json": b'{"prompt": \n',
    "encoding": b'{"prompt": "\xff"}\n',
    "row-format": b'{"prompt": 3}\n',
    "empty-answer": b'{"prompt": "a", "completion": " "}\n',
}
EMPTY = [
    {"prompt": "a", "completion": {}},
    {"instruction": "a", "output": ""},
    {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": " "}]},
]
OTHER_JSON = [b'{"prompt": "a", "completion": NaN}', b'{"x": 1e99999999999999999999}', b"[" * 100_000]


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        *PROBLEMS.items(),
        *[("json", line) for line in OTHER_JSON],
        *[("empty-answer", as_lines([row])) for row in EMPTY],
    ],
)
def test_each_problem_has_its_rule(rule, line, tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(line)
    [(_, problem)] = scan(tmp_path / "rows.jsonl")
    assert problem.rule == rule


def test_a_prefix_is_fetched_in_its_current_state_with_the_images_of_its_rows(
    s3_env, storage, bucket, tmp_path
):
    client = s3_env.client()
    keys = {
        "d/a.jsonl": as_lines(ROWS[:1]),
        "d/b.jsonl.gz": gzip.compress(as_lines(ROWS[1:2])),
        "d/a.png": b"image",
    }
    others = {"d/deeper/c.jsonl": b"not read", "d/other.png": b"not named"}
    for key, content in (keys | others).items():
        client.put_object(Bucket=bucket, Key=key, Body=content)
    fetch_rows(f"s3://{bucket}/d/", tmp_path, storage)
    client.delete_object(Bucket=bucket, Key="d/b.jsonl.gz")

    file = fetch_rows(f"s3://{bucket}/d/", tmp_path, storage)

    assert [where for where, _ in scan_rows(file)] == [f"s3://{bucket}/d/a.jsonl:1"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "a.png"]


@pytest.mark.parametrize(("name", "message"), [("none/", "no .jsonl"), ("d", "end an s3:// prefix with '/'")])
def test_a_uri_without_rows_is_rejected(name, message, storage, bucket, tmp_path):
    with pytest.raises(UserError) as caught:
        fetch_rows(f"s3://{bucket}/{name}", tmp_path, storage)
    assert message in str(caught.value.message) + str(caught.value.remedy)


@pytest.mark.parametrize("name", ["ROWS.JSONL", "Rows.Json", "rows.JSONL.GZ", "rows.Parquet"])
def test_a_suffix_may_be_in_capital_letters(name, tmp_path):
    write(tmp_path / name.lower(), ROWS[1:2]).rename(tmp_path / name)
    found = scan(tmp_path / name)
    assert [row.completion for _, row in found] == ["13"]
    if not name.endswith("Json"):
        assert [where for where, _ in scan(tmp_path)] == [f"{tmp_path.name}/{name}:1"]


@pytest.mark.parametrize("image", [f"{'k' * 300}.png", f"{'k' * 300}/a.png", "d/" * 3000 + "a.png"])
def test_an_image_whose_name_no_file_can_have_is_reported_with_its_row(
    image, s3_env, storage, bucket, tmp_path
):
    rows = as_lines([{"prompt": "Read.", "completion": "12", "images": [image]}])
    s3_env.client().put_object(Bucket=bucket, Key="d/rows.jsonl", Body=rows)

    file = fetch_rows(f"s3://{bucket}/d/rows.jsonl", tmp_path, storage)

    with pytest.raises(UserError, match=r"rows.jsonl:1.* can't be opened") as caught:
        load_dataset(file, 10**6)
    assert caught.value.reason is FailureReason.DatasetInvalid
