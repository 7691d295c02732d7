"""Each format is recognised with a sentence why, and read; what is left out is named with file and line."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finscribe_core.errors import UserError
from finscribe_trainer.data.rows import Turn
from finscribe_trainer.data_tools.importing.formats import FORMATS
from finscribe_trainer.data_tools.importing.recognition import recognise
from finscribe_trainer.data_tools.importing.source import Document, Dropped, EmbeddedImage, Source
from tests.unit.data_tools.importing.documents import png

PAGE = b"any bytes: only names are looked at"
FORM = [
    {"id": 0, "label": "question", "text": "Total:", "linking": [[0, 1]]},
    {"id": 1, "label": "answer", "text": "12", "linking": [[0, 1]]},
    {"id": 2, "label": "question", "text": "Fax:", "linking": []},
]
BOXES = [
    {"transcription": "12", "points": [[50, 1], [60, 1], [60, 9], [50, 9]]},
    {"transcription": "TOTAL", "points": [[1, 2], [40, 2], [40, 10], [1, 10]]},
    {"transcription": "SHOP", "points": [[1, -30], [40, -30], [40, -20], [1, -20]]},
]
ANNOTATION = {
    "result": [
        {"id": "r1", "type": "rectanglelabels", "value": {"rectanglelabels": ["total"], "x": 1, "y": 1}},
        {"id": "r1", "type": "textarea", "from_name": "t", "value": {"text": ["12"]}},
        {"id": "c", "type": "choices", "from_name": "kind", "value": {"choices": ["receipt"]}},
    ]
}
TASK = {"id": 1, "data": {"ocr": "/data/local-files/?d=images/a.png"}}
TURNS = [{"from": "human", "value": "<image>A?"}, {"from": "gpt", "value": "B"}]
COCO = {
    "imgs": {"1": {"id": 1, "file_name": "a.png"}, "2": {"id": 2, "file_name": "b.png"}},
    "anns": {
        "5": {"image_id": 1, "utf8_string": "12", "bbox": [50, 1, 9, 8]},
        "6": {"image_id": 1, "utf8_string": "TOTAL", "bbox": [1, 2, 30, 8]},
    },
}
IMAGE = {"bytes": png(), "path": "x.png"}
ASK = Turn("user", "A?", 1)


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


# Files; the clause that says why; (where, pages, answer, turns) of documents; "where: reason" of others.
EXAMPLES: dict[str, tuple[dict[str, Any], str, list[tuple[Any, ...]], list[str]]] = {
    "pdf-json": (
        {"a.pdf": PAGE, "a.json": '{"total": 1.50}', "pdf/b.PDF": PAGE, "data/b.json": "{}", "c.tif": PAGE,
         "d.json": "{}", "e.pdf": PAGE, "e.json": "[1]", ".hidden.pdf": PAGE},
        "3 of 4 documents have a JSON file of the same name",
        [("a.json", ["a.pdf"], {"total": 1.50}, ()), ("data/b.json", ["pdf/b.PDF"], {}, ())],
        ["d.json: there is no document of the same name", "e.json: is no JSON object",
         "c.tif: there is no JSON file of the same name"],
    ),
    "imagefolder": (
        {"train/metadata.jsonl": lines({"file_name": "a.png", "text": "12"},
                                       {"file_name": "../../b.png", "text": "1"},
                                       {"file_names": ["a.png", "c.png"], "total": "3"}, 7),
         "train/a.png": PAGE, "train/c.png": PAGE},
        "train/metadata.jsonl has file_name and no ground_truth",
        [("train/metadata.jsonl:1", ["train/a.png"], "12", ()),
         ("train/metadata.jsonl:3", ["train/a.png", "train/c.png"], {"total": "3"}, ())],
        ["train/metadata.jsonl:2: its page '../../b.png' is not a file below the folder",
         "train/metadata.jsonl:4: is no object with file_name and an answer"],
    ),
    "donut": (
        {"metadata.jsonl": lines({"file_name": "a.png", "ground_truth": '{"gt_parse": {"total": "12"}}'},
                                 {"file_name": "a.png", "ground_truth": "{"}),
         "a.png": PAGE},
        "metadata.jsonl has file_name and ground_truth",
        [("metadata.jsonl:1", ["a.png"], {"total": "12"}, ())],
        ["metadata.jsonl:2: its ground_truth is no JSON"],
    ),
    "sharegpt": (
        {"a.json": json.dumps([{"conversations": TURNS, "images": ["images/a.png"]}, {"conversations": []}]),
         "images/a.png": PAGE},
        "a.json has rows with conversations",
        [("a.json:1", ["images/a.png"], "B", (ASK,))],
        ["a.json:2: messages must be a list"],
    ),
    "alpaca": (
        {"a.jsonl": lines({"instruction": "A?", "input": "a.pdf", "output": "B"},
                          {"instruction": "A?", "input": "/etc/x.pdf", "output": "B"}), "a.pdf": PAGE},
        "a.jsonl has rows with instruction and output",
        [("a.jsonl:1", ["a.pdf"], "B", (ASK,))],
        ["a.jsonl:2: its page '/etc/x.pdf' is not a file below the folder"],
    ),
    "erniekit": (
        {"a.jsonl": lines({"image_info": [{"matched_text_index": 0, "image_url": "./a.png"}],
                           "text_info": [{"text": "A?", "tag": "mask"}, {"text": "B", "tag": "no_mask"}]}),
         "a.png": PAGE},
        "a.jsonl has rows with image_info and text_info",
        [("a.jsonl:1", ["a.png"], "B", (ASK,))],
        [],
    ),
    "messages": (
        {"a.jsonl": lines({"query": "<image>A?", "response": "B", "images": ["a.png"]}), "a.png": PAGE},
        "a.jsonl has rows with query and response",
        [("a.jsonl:1", ["a.png"], "B", (ASK,))],
        [],
    ),
    "label-studio": (
        {"a.json": json.dumps([TASK | {"annotations": [ANNOTATION]},
                               TASK | {"annotations": [{"was_cancelled": True}]},
                               TASK | {"annotations": [ANNOTATION], "data": {"ocr": "s3://b/none.png"}}]),
         "images/a.png": PAGE},
        "a.json has tasks with data and annotations",
        [("a.json:1", ["images/a.png"], {"total": "12", "kind": "receipt"}, ())],
        ["a.json:2: has no annotation that was not cancelled", "a.json:3: its page 's3://b/none.png'"],
    ),
    "coco-text": (
        {"a.json": json.dumps(COCO), "a.png": PAGE, "b.png": PAGE},
        "a.json has images and annotations with their ids",
        [("a.json:1", ["a.png"], "TOTAL 12", ())],
        ["a.json:2: has no text"],
    ),
    "sroie": (
        {"img/a.jpg": PAGE, "entities/a.txt": '{"total": "12"}', "img/b.jpg": PAGE, "entities/c.txt": "{}"},
        "there are the folders img/ and entities/ with 2 files",
        [("entities/a.txt", ["img/a.jpg"], {"total": "12"}, ())],
        ["img/b.jpg: there is no file of the same name", "entities/c.txt: there is no image"],
    ),
    "funsd": (
        {"images/a.png": PAGE, "annotations/a.json": json.dumps({"form": FORM}),
         "annotations/b.json": json.dumps({"form": FORM})},
        "2 JSON files such as annotations/a.json have a form",
        [("annotations/a.json", ["images/a.png"], {"Total:": "12"}, ())],
        ["annotations/b.json: its page 'b' is not a file"],
    ),
    "docvqa": (
        {"a.json": json.dumps({"dataset_name": "docvqa", "data": [
            {"questionId": 1, "question": "A?", "image": "documents/a.png", "answers": ["B", "b"]},
            {"questionId": 2, "question": "A?", "image": "documents/a.png"}]}),
         "documents/a.png": PAGE},
        "a.json has question and answers",
        [("a.json:1", ["documents/a.png"], "B", (ASK,))],
        ["a.json:2: has no question with an answer"],
    ),
    "paddleocr": (
        {"Label.txt": f"a.png\t{json.dumps(BOXES)}\nb.png\t[]\na.png\t[{{\n", "rec_gt.txt": "a.png\t12\n",
         "a.png": PAGE},
        "Label.txt has an image, a tab and its text on each line",
        [("Label.txt:1", ["a.png"], "SHOP\nTOTAL 12", ()), ("rec_gt.txt:1", ["a.png"], "12", ())],
        ["Label.txt:2: its page 'b.png'", "Label.txt:3: its label is not a list"],
    ),
    "csv": (
        {"a.csv": "file;Rechnung;Summe;x\na.pdf;R-1;1,50;\nnone.pdf;R-2;2,50;\nx;1;2;3;4\n", "a.pdf": PAGE},
        "column 'file' of a.csv names files",
        [("a.csv:2", ["a.pdf"], {"Rechnung": "R-1", "Summe": "1,50"}, ())],
        ["a.csv:3: its page 'none.pdf'", "a.csv:4: has 5 cells, but the table has 4 columns"],
    ),
    "hf-parquet": (
        {"a.parquet": [{"image": IMAGE, "ground_truth": '{"gt_parse": {"total": "12"}}'},
                       {"image": IMAGE, "ground_truth": "x"}, {"image": None, "ground_truth": "{}"}],
         "b.parquet": [{"messages": [{"role": "user", "content": "<image>A?"},
                                     {"role": "assistant", "content": "B"}],
                        "images": [IMAGE]}],
         "c.parquet": [{"page": IMAGE, "total": 1.5, "note": None}]},
        "a.parquet is a Parquet table",
        [("a.parquet:1", ["a.parquet-1-1"], {"total": "12"}, ()),
         ("b.parquet:1", ["b.parquet-1-1"], "B", (ASK,)),
         ("c.parquet:1", ["c.parquet-1-1"], {"total": 1.5}, ())],
        ["a.parquet:2: its ground_truth is no JSON", "a.parquet:3: "],
    ),
}  # fmt: skip


def write(folder: Path, files: dict[str, Any]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, list):
            pq.write_table(pa.Table.from_pylist(content), path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_recognised_and_read(name, tmp_path):
    files, why, documents, dropped = EXAMPLES[name]
    source = Source(write(tmp_path / "in", files))
    recognition = recognise(source)
    assert (recognition.format, recognition.why) == (name, why)

    items = list(FORMATS[name].read(source))
    found = [item for item in items if isinstance(item, Document)]
    names = [
        [page.name if isinstance(page, EmbeddedImage) else source.name(page) for page in item.pages]
        for item in found
    ]
    read = [(item.where, pages, item.answer, item.turns) for item, pages in zip(found, names, strict=True)]
    assert read == documents
    reports = [f"{item.where}: {item.reason}" for item in items if isinstance(item, Dropped)]
    assert len(reports) == len(dropped)
    assert all(report.startswith(start) for report, start in zip(reports, dropped, strict=True)), reports


def test_pages_in_files_of_their_own_are_one_document_in_their_order(tmp_path):
    names = [
        "a/10.png",
        "a/9.png",
        "b_1.jpg",
        "b_2.jpg",
        "b_10.jpg",
        "c (1).png",
        "c (2).png",
        "INV-7.png",
        "INV-8.png",
    ]
    data = dict.fromkeys(["a.json", "b.json", "c.json", "INV-7.json", "INV-8.json"], "{}")
    source = Source(write(tmp_path, dict.fromkeys(names, PAGE) | data))
    found = {
        item.where: [source.name(page) for page in item.pages] for item in FORMATS["pdf-json"].read(source)
    }
    assert found == {
        "a.json": ["a/9.png", "a/10.png"],
        "b.json": ["b_1.jpg", "b_2.jpg", "b_10.jpg"],
        "c.json": ["c (1).png", "c (2).png"],
        "INV-7.json": ["INV-7.png"],
        "INV-8.json": ["INV-8.png"],
    }


def test_links_that_lead_out_of_the_folder_are_not_followed(tmp_path):
    write(tmp_path, {"secret/a.pdf": PAGE, "secret/b.json": "{}", "in/c.pdf": PAGE, "in/c.json": "{}"})
    (tmp_path / "in/a.pdf").symlink_to("../secret/a.pdf")
    (tmp_path / "in/a.json").write_text("{}")
    (tmp_path / "in/more").symlink_to("../secret")
    items = list(FORMATS["pdf-json"].read(Source(tmp_path / "in")))
    assert [item.where for item in items if isinstance(item, Document)] == ["c.json"]
    assert Source(tmp_path / "in").find("../secret/a.pdf", tmp_path / "in/c.json") is None
    assert Source(tmp_path / "in").find("more/a.pdf", tmp_path / "in/c.json") is None


UNKNOWN = {
    "several": ({"a.csv": "image\na.png\n", "a.png": PAGE,
                 "b.jsonl": lines({"question": "A?", "answers": ["B"]})},
                "several formats: docvqa .*csv .*Name one with --from"),
    "documents only": ({"a.pdf": PAGE, "b.png": PAGE}, "It looks like PDF and JSON"),
    "images only": ({"b.png": PAGE}, "1 documents, but no answers: put a JSON file of the same name"),
    "nothing": ({"a.txt": "x"}, "not in any of the formats.* pdf-json, imagefolder"),
    "Arrow": ({"a.arrow": "x"}, "looks like Hugging Face Arrow: save it with `to_parquet`, and run"),
}  # fmt: skip


@pytest.mark.parametrize(("files", "message"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_not_recognised_is_refused_with_a_next_step(files, message, tmp_path):
    with pytest.raises(UserError, match=message):
        recognise(Source(write(tmp_path, files)))


def test_a_table_that_expands_to_more_than_memory_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("finscribe_trainer.data.expansion.ALWAYS_ALLOWED", 2**10)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"page": ["a.png"], "text": [" " * 2**23]}), path, compression="zstd")
    [dropped] = FORMATS["hf-parquet"].read(Source(path))
    assert isinstance(dropped, Dropped)
    assert "expand to more than" in dropped.reason
