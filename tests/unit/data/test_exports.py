"""A data set in the format of another program is refused by that format's name, with the keys to write."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.dataset import load_dataset
from finscribe_trainer.data.files import DataFile

TURNS = [{"from": "human", "value": "<image>Read."}, {"from": "gpt", "value": "12"}]
SHAREGPT = {"conversations": TURNS, "images": ["images/0.png"]}
ALPACA = {"instruction": "<image>Read.", "input": "", "output": "12", "images": ["images/0.png"]}
MESSAGES = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
LABEL_STUDIO = {"id": 0, "data": {"ocr": "/data/local-files/?d=images/0.png"}, "annotations": []}
ERNIE = {"image_info": [{"image_url": "./images/0.png"}], "text_info": [{"text": "OCR:", "tag": "mask"}]}
DONUT = {"file_name": "0.png", "ground_truth": '{"gt_parse": {"total": "12"}}'}
DOCVQA = {"question": "Which total?", "answers": ["12"], "image": "images/0.png"}
HUGGING_FACE = {"image": {"bytes": b"\x89PNG", "path": "0.png"}, "ground_truth": "{}"}

FILES = {
    "ShareGPT": ("train.jsonl", [SHAREGPT], "train.jsonl:1: the ShareGPT"),
    "ShareGPT array": (
        "train.json",
        json.dumps([SHAREGPT], indent=2),
        "train.json:1: .*array in .*ShareGPT",
    ),
    "ShareGPT array on one line": (
        "train.json",
        json.dumps([SHAREGPT]),
        "train.json:1: .*array in .*ShareGPT",
    ),
    "Alpaca array": ("train.json", json.dumps([ALPACA], indent=2), "train.json:1: .*array in .*Alpaca"),
    "messages array": ("train.json", json.dumps([MESSAGES]), "train.json:1: .*array in .*OpenAI messages"),
    "array in a .jsonl file": ("train.jsonl", json.dumps([MESSAGES]), "train.jsonl:1: .*array in .*OpenAI"),
    "array of texts": (
        "train.json",
        json.dumps(["a"], indent=1),
        "train.json:1: the whole file is .* array,",
    ),
    "object": (
        "train.json",
        json.dumps(MESSAGES, indent=1),
        "train.json:1: .* is one JSON object",
    ),
    "Label Studio": (
        "export.json",
        json.dumps([LABEL_STUDIO], indent=2),
        "export.json:1: .*Label Studio",
    ),
    "ERNIEKit": ("train.jsonl", [ERNIE], "train.jsonl:1: the ERNIEKit"),
    "Donut": ("metadata.jsonl", [DONUT], "metadata.jsonl:1: the Donut format"),
    "DocVQA": ("qa.jsonl", [DOCVQA], "qa.jsonl:1: the DocVQA format"),
    "ImageFolder": ("metadata.jsonl", [{"file_name": "0.png", "text": "12"}], ":1: the Hugging Face Image"),
    "ms-swift": ("train.jsonl", [{"query": "a", "response": "b"}], "train.jsonl:1: the ms-swift format"),
    "Hugging Face": ("train.parquet", [HUGGING_FACE], "train.parquet:1: .*Hugging Face image columns"),
    "PPOCRLabel": ("Label.txt", "images/0.png\t[]\n", "Label.txt: the PaddleOCR .PPOCRLabel. format"),
    "PaddleOCR": ("rec_gt_train.txt", "images/0.png\t12\n", "rec_gt_train.txt: the PaddleOCR .recognition."),
    "CSV": ("train.csv", "image,output\nimages/0.png,12\n", "train.csv: the CSV format"),
}


@pytest.mark.parametrize(("name", "content", "message"), FILES.values(), ids=FILES)
def test_a_file_of_another_program_is_refused_by_its_formats_name(name, content, message, tmp_path):
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
    assert "write " in caught.value.message
    assert len(caught.value.message.splitlines()) == 1


@pytest.mark.parametrize(
    ("entries", "message"),
    [(("img/", "box/", "entities/"), "d: the SROIE format"), (("images/", "Label.txt"), "d: the PaddleOCR")],
)
def test_a_folder_of_another_program_is_refused_by_its_formats_name(entries, message, tmp_path):
    for entry in entries:
        path = tmp_path / entry
        path.mkdir() if entry.endswith("/") else path.touch()
    with pytest.raises(UserError, match=message):
        load_dataset(DataFile(tmp_path, "d"), max_image_pixels=10**6)
