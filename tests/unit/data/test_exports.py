"""A data set in the format of another program is refused by that format's name, with the keys to write."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.dataset import load_dataset
from finscribe_trainer.data.files import DataFile

LABEL_STUDIO = {"id": 0, "data": {"ocr": "/data/local-files/?d=images/0.png"}, "annotations": []}
DONUT = {"file_name": "0.png", "ground_truth": '{"gt_parse": {"total": "12"}}'}
DOCVQA = {"question": "Which total?", "answers": ["12"], "image": "images/0.png"}
HUGGING_FACE = {"image": {"bytes": b"\x89PNG", "path": "0.png"}, "label": 3}
COCO = {"images": [{"id": 1, "file_name": "0.png"}], "annotations": []}

FILES = {
    "object": ("train.json", json.dumps({"a": {}}, indent=1), "train.json:1: .* is one JSON object", ""),
    "Label Studio": (
        "a.json",
        json.dumps([LABEL_STUDIO], indent=2),
        "a.json:1: the Label Studio",
        "label-studio",
    ),
    "COCO": ("a.json", json.dumps(COCO, indent=2), "a.json:1: the COCO format", "coco-text"),
    "Donut": ("metadata.jsonl", [DONUT], "metadata.jsonl:1: the Donut format", "donut"),
    "DocVQA": ("qa.jsonl", [DOCVQA], "qa.jsonl:1: the DocVQA format", "docvqa"),
    "ImageFolder": (
        "metadata.jsonl",
        [{"file_name": "0.png", "text": "12"}],
        ":1: the Hugging Face Image",
        "imagefolder",
    ),
    "Hugging Face": (
        "a.parquet",
        [HUGGING_FACE],
        "a.parquet:1: .*Hugging Face table with images",
        "hf-parquet",
    ),
    "Arrow": ("a.arrow", "ARROW1", "a.arrow: the Hugging Face Arrow format .*to_parquet", "hf-parquet"),
    "PPOCRLabel": ("Label.txt", "images/0.png\t[]\n", "Label.txt: the PaddleOCR .PPOCRLabel.", "paddleocr"),
    "PaddleOCR": ("rec_gt.txt", "images/0.png\t12\n", "rec_gt.txt: the PaddleOCR .recognition.", "paddleocr"),
    "CSV": ("train.csv", "image,output\nimages/0.png,12\n", "train.csv: the CSV format", "csv"),
    "Excel": ("train.xlsx", "PK", "train.xlsx: the Excel format .*save it as CSV", "csv"),
}


@pytest.mark.parametrize(("name", "content", "message", "importer"), FILES.values(), ids=FILES)
def test_a_file_of_another_program_is_refused_by_its_formats_name_with_the_command_that_reads_it(
    name, content, message, importer, tmp_path
):
    path = tmp_path / name
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(content), path)
    elif isinstance(content, list):
        path.write_text("".join(json.dumps(row) + "\n" for row in content))
    else:
        path.write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        load_dataset(DataFile(path, name), max_image_pixels=10**6)
    assert caught.value.reason is FailureReason.DatasetInvalid
    assert (
        f"`finscribe data import {f'--from {importer} ' if importer else ''}IN OUT`" in caught.value.message
    )
    assert len(caught.value.message.splitlines()) == 1


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (("img/", "box/", "entities/"), "d: the SROIE format"),
        (("images/", "Label.txt"), "d: the PaddleOCR"),
        (("a.pdf", "a.json"), "d: the PDF and JSON format"),
    ],
)
def test_a_folder_of_another_program_is_refused_by_its_formats_name(entries, message, tmp_path):
    for entry in entries:
        path = tmp_path / entry
        path.mkdir() if entry.endswith("/") else path.touch()
    with pytest.raises(UserError, match=message):
        load_dataset(DataFile(tmp_path, "d"), max_image_pixels=10**6)
