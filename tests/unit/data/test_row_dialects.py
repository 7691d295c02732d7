"""Rows in other programs' keys, and JSON arrays of rows, are trained on as they are."""

import gzip
import io
import json

import pytest

from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.json_array import elements
from finscribe_trainer.data.row_count import count_rows
from finscribe_trainer.data.row_fields import RowError
from finscribe_trainer.data.row_reader import scan_rows
from finscribe_trainer.data.rows import Row, Turn, parse_row
from finscribe_trainer.documents.problems import Problem

PAGE = "images/0.png"
EXPECTED = Row((Turn("user", "Read.", 1),), "12", (PAGE,))
URL = {"type": "image_url", "image_url": {"url": PAGE}}
ROWS = {
    "ShareGPT": {
        "conversations": [{"from": "human", "value": "<image>Read."}, {"from": "gpt", "value": "12"}],
        "images": [PAGE],
    },
    "ERNIEKit": {
        "image_info": [{"matched_text_index": 0, "image_url": PAGE}],
        "text_info": [{"text": "Read.", "tag": "mask"}, {"text": "12", "tag": "no_mask"}],
    },
    "ms-swift": {"query": "<image>Read.", "response": "12", "images": [PAGE]},
    "OpenAI": {
        "messages": [
            {"role": "user", "content": [URL, {"type": "text", "text": "Read."}]},
            {"role": "assistant", "content": "12"},
        ]
    },
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_in_other_keys_says_the_same(row):
    assert parse_row(row) == EXPECTED


def test_several_turns_and_a_system_prompt_keep_their_order_and_images():
    turns = [{"from": who, "value": text} for who, text in (
        ("human", "<image>A?"), ("gpt", "1"), ("human", "<image><image>B?"), ("gpt", "2"))]  # fmt: skip
    row = parse_row({"system": "Be brief.", "conversations": turns, "images": ["a.png", "b.png", "c.png"]})
    assert row.turns == (
        Turn("system", "Be brief."), Turn("user", "A?", 1), Turn("assistant", "1"), Turn("user", "B?", 2),
    )  # fmt: skip
    assert (row.completion, row.images) == ("2", ("a.png", "b.png", "c.png"))


TEXTS = ROWS["ERNIEKit"]["text_info"]
WRONG = {
    "an unknown role": ({"conversations": [{"from": "tool", "value": "x"}]}, r"conversations\[0\].from"),
    "no list": ({"conversations": "x"}, "conversations must be a list"),
    "an unknown tag": ({"image_info": [], "text_info": [{"text": "a", "tag": "x"}]}, r"text_info\[0\].tag"),
    "an image of no text": (
        {"image_info": [{"matched_text_index": 7, "image_url": PAGE}], "text_info": TEXTS},
        "matched_text_index",
    ),
    "an image in an answer": (
        {"image_info": [{"matched_text_index": 1, "image_url": PAGE}], "text_info": TEXTS},
        "which is an answer",
    ),
    "pairs that are none": ({"query": "a", "response": "b", "history": ["c"]}, "history must be a list"),
    "base64": (
        {"messages": [
            {"role": "user", "content": [URL | {"image_url": {"url": "data:image/png;base64,AA"}}]},
            {"role": "assistant", "content": "12"}]},
        "base64",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("row", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_value_under_another_programs_key_is_named(row, message):
    with pytest.raises(RowError, match=message):
        parse_row(row)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl", "rows.jsonl.gz"])
def test_an_array_is_read_and_counted_row_by_row(name, indent, tmp_path):
    rows = [{"prompt": f'a "]}}[{{,\\" {n}', "completion": {"n": [n, {}]}} for n in range(40)]
    content = json.dumps(rows, indent=indent).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    found = list(scan_rows(DataFile(path, name)))
    assert [where for where, _ in found] == [f"{name}:{n}" for n in range(1, 41)]
    assert [row.turns[0].text for _, row in found] == [row["prompt"] for row in rows]
    with path.open("rb") as file:
        assert count_rows(name, file, path.stat().st_size) == 40


def test_an_invalid_element_or_a_missing_end_is_reported_with_its_position(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text('[{"prompt": "a", "completion": "b"}, {"prompt": }, {"prompt": "c", "completion"')
    found = list(scan_rows(DataFile(path, "rows.json")))
    assert [where for where, row in found if isinstance(row, Problem)] == ["rows.json:2", "rows.json:3"]
    assert "cut off" in found[-1][1].message


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_elements_do_not_depend_on_where_blocks_end(size, monkeypatch):
    monkeypatch.setattr("finscribe_trainer.data.json_array._BLOCK_SIZE", size)
    text = b'\xef\xbb\xbf [ {"a": "x\\\\\\"],"}, [1, {"b": []}], "q" ] \n'
    assert [json.loads(part) for part in elements(io.BytesIO(text), 100)] == [
        {"a": 'x\\"],'}, [1, {"b": []}], "q",
    ]  # fmt: skip
    assert list(elements(io.BytesIO(b"[]"), 100)) == []
    assert list(elements(io.BytesIO(b'["' + b"x" * 50 + b'", 1]'), 20)) == [None, b" 1"]
