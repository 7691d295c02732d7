"""Rows of a .parquet file with the bytes of their images are the rows of a .jsonl file with image files."""

import io
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from finscribe_core.errors import UserError
from finscribe_trainer.batches.dataset import ImageUnavailableError, load_row_images
from finscribe_trainer.data import parquet, table_images
from finscribe_trainer.data.dataset import load_dataset
from finscribe_trainer.data.document_pages import PageOptions
from finscribe_trainer.data.fetch import fetch_rows
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.table_images import TableImage, find_table_image
from finscribe_trainer.data_tools.curate.split import Plan, split_rows
from finscribe_trainer.prediction.documents import find_documents
from tests.support.storage import bucket, storage

__all__ = ["bucket", "storage"]
PIXELS = 10**6


def page(number: int, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.effect_noise((24 + number, 16), 80).save(file, kind)
    return file.getvalue()


def cell(content: bytes | None, path: str | None = None) -> dict:
    return {"bytes": content, "path": path}


def write(path: Path, rows: list[dict], **options) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path, **options)
    return path


A, B, C = page(1), page(2, "JPEG"), page(3, "TIFF")
FILES = {"a": A, "b": B, "c": C}
PARTS = [{"type": "image"}, {"type": "text", "text": "Read."}]
GPT = [{"from": "human", "value": "<image>From <image>to."}, {"from": "gpt", "value": "12"}]
SAME = {
    "Donut": (
        {"image": cell(A, "a.png"), "ground_truth": '{"gt_parse": {"total": 12.50}, "meta": {}}'},
        {"image": "a", "instruction": "Read this financial document as JSON.", "output": '{"total": 12.50}'},
    ),
    "text": (
        {"image": cell(B), "text": "Total 12", "id": 7},
        {"image": "b", "instruction": "Read the text of this page.", "output": "Total 12"},
    ),
    "plain bytes": (
        {"image": C, "prompt": "Read.", "completion": {"total": "12"}},
        {"image": "c", "prompt": "Read.", "completion": {"total": "12"}},
    ),
    "messages": (
        {"images": [cell(A)], "messages": [*({"role": r, "content": c} for r, c in (
            ("user", PARTS), ("assistant", [{"type": "text", "text": "12"}])))]},
        {"images": ["a"], "prompt": "Read.", "completion": "12"},
    ),
    "conversations of two pages": (
        {"images": [cell(B), cell(A)], "conversations": GPT},
        {"images": ["b", "a"], "conversations": GPT},
    ),
    "path of a file": (
        {"image": cell(None, "c"), "instruction": "Read.", "output": "12"},
        {"image": "c", "instruction": "Read.", "output": "12"},
    ),
}  # fmt: skip


def seen(file: Path) -> list:
    examples = load_dataset(DataFile(file, file.name), PIXELS).examples
    pages = [[page.tobytes() for page in load_row_images(example)] for example in examples]
    texts = [(example.row.turns, example.row.completion) for example in examples]
    return [*zip(texts, pages, (each.image_hashes for each in examples), strict=True)]


@pytest.mark.parametrize(("in_table", "in_lines"), SAME.values(), ids=SAME)
def test_a_row_with_the_bytes_of_its_images_is_the_same_as_with_their_files(in_table, in_lines, tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "rows.jsonl").write_text(json.dumps(in_lines) + "\n")
    if "messages" in in_table:  # the answer has the same type as the prompt
        assert in_table["messages"][1]["content"][0]["text"] == "12"
    assert seen(write(tmp_path / "rows.parquet", [in_table])) == seen(tmp_path / "rows.jsonl")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


IMPORT = "run `finscribe data import --from hf-parquet IN OUT`"
GOOD = {"image": cell(A), "text": "12"}
BAD = {
    "a PDF": ([GOOD, {"image": cell(b"%PDF-1.7"), "text": "12"}], "r.parquet:2: image .* is a PDF document"),
    "no image": ([GOOD, {"image": cell(b"noise"), "text": "1"}], "r.parquet:2: .* not in a supported image"),
    "a half image": ([GOOD, {"image": cell(A[:90]), "text": "1"}], "r.parquet:2: image .* is damaged"),
    "nothing": ([{"image": cell(b""), "text": "12"}], "r.parquet:1: image .* is empty"),
    "numbers": ([{"image": [1, 2], "text": "12"}], "r.parquet:1: image must be a path .*, not a number"),
    "base64 in an object": (
        [{"image": {"bytes": "iVBOR", "path": "a"}, "text": "12"}],
        "r.parquet:1: image must be a path .*, not an object",
    ),
    "an empty text": ([GOOD, {"image": cell(A), "text": " "}], "r.parquet:2: text is empty"),
    "no parse": ([{"image": cell(A), "ground_truth": "{}"}], "r.parquet:1: its ground_truth has no gt_parse"),
    "no answer": ([{"image": cell(A), "ner_tags": [1]}], f"r.parquet:1: .* this one has ner_tags; {IMPORT}"),
    "several answers": (
        [{"image": cell(A), "question": "Total?", "answers": ["12", "12.00"]}],
        f"r.parquet:1: the DocVQA format is not read by training; {IMPORT}",
    ),
    "another column": ([{"page": A, "text": "12"}], f"r.parquet:1: column 'page' contains bytes .*{IMPORT}"),
    "images in messages": (
        [{"messages": [{"role": "user", "content": [{"type": "image", "image": cell(A)}]}]}],
        f"r.parquet:1: column 'messages' contains bytes .*{IMPORT}",
    ),
}


@pytest.mark.parametrize(("rows", "message"), BAD.values(), ids=BAD)
def test_a_row_that_can_not_be_read_is_reported_with_its_number(rows, message, tmp_path):
    with pytest.raises(UserError, match=message):
        load_dataset(DataFile(write(tmp_path / "r.parquet", rows), "r.parquet"), PIXELS)


def test_a_truncated_table_is_reported(tmp_path):
    cut(write(tmp_path / "r.parquet", [GOOD]))
    with pytest.raises(UserError, match=r"r.parquet:1: the .parquet file is cut off or damaged"):
        load_dataset(DataFile(tmp_path / "r.parquet", "r.parquet"), PIXELS)


def test_a_table_with_too_many_images_in_a_row_group_is_refused_with_both_remedies(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "MAX_GROUP_BYTES", 4000)
    rows = [{"image": cell(page(number)), "text": "12"} for number in range(20)]
    file = DataFile(write(tmp_path / "r.parquet", rows, row_group_size=10), "r.parquet")
    with pytest.raises(UserError, match=rf"row group 1 .* row_group_size=100, or {IMPORT}"):
        load_dataset(file, PIXELS)
    write(file.path, rows, row_group_size=2)
    assert len(load_dataset(file, PIXELS).examples) == 20


@pytest.mark.parametrize("kept", [0, 3000, 10**6])
def test_images_are_found_in_any_order_and_in_any_row_group(kept, tmp_path, monkeypatch):
    monkeypatch.setattr(table_images, "_KEPT_BYTES", kept)
    monkeypatch.setattr(table_images, "BATCH_ROWS", 3)
    monkeypatch.setattr(table_images, "_READER", reader := table_images._Reader())
    pages = [page(number) for number in range(50)]
    write(tmp_path / "r.parquet", [{"image": cell(content)} for content in pages], row_group_size=11)
    order = [*range(50), *random.Random(1).sample(range(50), 50), 10, 11, 10]
    for place in order:
        image = find_table_image(tmp_path, f"r.parquet.images/{place + 1}-image.png")
        assert image.read_bytes() == pages[place]
        assert sum(map(len, reader._kept.values())) == reader._num_bytes <= kept


def test_an_image_that_is_gone_is_reported_with_its_row(tmp_path):
    path = write(tmp_path / "r.parquet", [GOOD, GOOD])
    example = load_dataset(DataFile(path, "r.parquet"), PIXELS).examples[1]
    write(path, [GOOD])
    with pytest.raises(ImageUnavailableError, match=r"r.parquet:2: .*2-image.png can't be read any more"):
        load_row_images(example)
    path.unlink()
    with pytest.raises(ImageUnavailableError, match="No such file"):
        load_row_images(example)


def test_of_a_table_in_a_bucket_nothing_else_is_downloaded(s3_env, storage, bucket, tmp_path):
    table = write(tmp_path / "t.parquet", [GOOD, {"image": cell(B), "text": "13"}]).read_bytes()
    s3_env.client().put_object(Bucket=bucket, Key="d/t.parquet", Body=table)
    asked = []
    fetch = storage.fetch_objects
    storage.fetch_objects = lambda objects, **options: asked.extend(objects) or fetch(objects, **options)
    file = fetch_rows(f"s3://{bucket}/d/", tmp_path / "rows", storage)
    assert [uri.rpartition("/")[2] for uri, _ in asked] == ["t.parquet"]
    [_, second] = load_dataset(file, PIXELS).examples
    assert second.where == f"s3://{bucket}/d/t.parquet:2"
    assert second.image_names == ("t.parquet.images/2-image.jpg",)


def test_a_split_writes_the_images_to_files(tmp_path):
    rows = [{"image": cell(page(number)), "text": f"No. {number}"} for number in range(6)]
    table = write(tmp_path / "in.parquet", rows)
    split_rows(table, tmp_path, Plan(validation=0.2, test=0.2))
    written = [line for name in ("train", "val", "test") for line in seen(tmp_path / f"{name}.jsonl")]
    table.unlink()
    assert [seen(tmp_path / f"{name}.jsonl") for name in ("train", "val", "test")]
    assert sorted(answer for (_, answer), _, _ in written) == [f"No. {number}" for number in range(6)]
    assert len(list((tmp_path / "in.parquet.images").iterdir())) == 6


@pytest.mark.parametrize("extra", [{}, {"text": "12"}, {"ground_truth": '{"gt_parse": {}}'}])
def test_a_prediction_reads_the_images_of_a_table_with_its_own_prompt(extra, storage, tmp_path):
    path = write(tmp_path / "r.parquet", [{"image": cell(A), **extra}])
    [document] = find_documents([str(path)], "Which total?", PageOptions(), tmp_path, storage)
    assert document.name == f"{path}:1"
    assert [turn.text for turn in document.example.row.turns] == ["Which total?"]
    assert isinstance(document.example.images[0], TableImage)
