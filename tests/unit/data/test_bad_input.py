"""What no program would write, but people have: it is named by row, and never a traceback."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finscribe_core.errors import UserError
from finscribe_trainer.data.dataset import load_dataset
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.images import ImageError, check_image, resolve_image
from finscribe_trainer.data.rows import RowError, parse_row
from finscribe_trainer.data.scan import scan_rows
from finscribe_trainer.documents.numbers import MAX_DEPTH, load_json

GOOD = '{"prompt": "x", "completion": "y"}\n'


def scan(path):
    return list(scan_rows(DataFile(path, path.name)))


@pytest.mark.parametrize("name", ["\ud800.png", "x" * 5000 + ".png"], ids=["half a character", "too long"])
def test_a_name_that_no_file_can_have_is_a_bad_image(name, tmp_path):
    with pytest.raises(ImageError, match="can't be opened"):
        resolve_image(tmp_path, name)


@pytest.mark.parametrize("row", [{"x": "\ud800"}, {"image": "\ud800.png"}, {"completion": {"a": "\ud800"}}])
def test_half_a_character_anywhere_in_a_row_is_one_problem(row, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"prompt": "x", "completion": "y", **row}) + "\n")
    [(_, problem)] = scan(path)
    assert "half a surrogate pair" in problem.message


def test_half_a_character_in_the_text_of_an_answer_is_a_bad_row():
    with pytest.raises(RowError, match="half a surrogate pair"):
        parse_row({"prompt": "x", "completion": r'{"a": "\ud800"}'})
    assert parse_row({"prompt": "x", "completion": r'{"a": "\ud83d\ude00"}'})
    assert parse_row({"prompt": "x", "completion": r"a path: C:\ud800"})


def test_json_is_as_deep_as_can_be_walked_through():
    assert load_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    with pytest.raises(ValueError, match="nested too deeply"):
        load_json("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    assert len(load_json("[" + "[]," * 500 + "[]]")) == 501


COLUMNS = {
    "no number": (pa.array([float("nan")]), "holds nan, which JSON does not have"),
    "a day after all years": (pa.array([2**62], pa.timestamp("us")), "damaged"),
}


@pytest.mark.parametrize(("column", "message"), COLUMNS.values(), ids=COLUMNS)
def test_what_json_does_not_have_is_a_problem_of_the_table(column, message, tmp_path):
    pq.write_table(pa.table({"prompt": ["x"], "completion": ["y"], "z": column}), tmp_path / "rows.parquet")
    [(_, problem)] = scan(tmp_path / "rows.parquet")
    assert message in problem.message


def test_folders_named_like_shards_are_no_shards(tmp_path):
    (tmp_path / "old.jsonl").mkdir()
    (tmp_path / "new.jsonl").write_text(GOOD)
    assert [where for where, _ in scan(tmp_path)] == [f"{tmp_path.name}/new.jsonl:1"]


def test_a_shard_that_leads_nowhere_is_refused_by_its_name(tmp_path):
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match=r"a\.jsonl can't be read"):
        load_dataset(DataFile(tmp_path, "rows"), max_image_pixels=10**6)


def test_a_program_that_calls_itself_an_image_is_none(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    with pytest.raises(ImageError, match="of no known image format"):
        check_image(tmp_path / "a.png", "a.png", max_pixels=10**6)
