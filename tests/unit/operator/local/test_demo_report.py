"""The demo's listing of its bucket: every object is described, and no name is broken on a narrow terminal."""

import io

import pytest
from rich.console import Console

from finscribe_operator.local.demo_report import build_listing
from finscribe_operator.local.embedded_s3 import StoredObject

RUN = "results/invoices/runs/invoices-1a2b3c4d"
KEYS = [
    "datasets/invoices/images/train-0.png",
    "datasets/invoices/images/val-0.png",
    "datasets/invoices/test-template.jsonl",
    "datasets/invoices/test.jsonl",
    "datasets/invoices/train.jsonl",
    "datasets/invoices/val.jsonl",
    "results/invoices/latest.json",
    f"{RUN}/adapter/README.md",
    f"{RUN}/adapter/adapter_config.json",
    f"{RUN}/adapter/adapter_model.safetensors",
    f"{RUN}/adapter/tokenizer.json",
    f"{RUN}/checkpoints/checkpoint-156/manifest.json",
    f"{RUN}/checkpoints/checkpoint-156/optimizer.pt",
    f"{RUN}/config.yaml",
    f"{RUN}/evaluation/report.html",
    f"{RUN}/evaluation/report.md",
    f"{RUN}/evaluation/results-base.json",
    f"{RUN}/evaluation/results-tuned.json",
    f"{RUN}/logs/events.out.tfevents.1764444444.a-machine-with-a-long-name.12345.0",
    f"{RUN}/manifest.json",
    f"{RUN}/merged/README.md",
    f"{RUN}/merged/model.safetensors",
    f"{RUN}/metrics.json",
]
ROWS = {
    "  images/ (2 files)": "rendered invoices",
    "  train.jsonl": "training rows",
    "  test.jsonl": "test rows, of other vendors",
    "  test-template.jsonl": "test rows, of another",
    "  latest.json": "names the newest",
    "  adapter/ (4 files)": "the result: the LoRA",
    "  checkpoints/checkpoint-156/ (2 files)": "what an interrupted",
    "  config.yaml": "the run's",
    "  evaluation/report.html": "base and tuned",
    "  evaluation/results-tuned.json": "every answer",
    "  logs/ (1 file)": "training curves",
    "  merged/ (2 files)": "the base model with",
    "  metrics.json": "every loss",
}


@pytest.fixture(params=[80, 200])
def lines(request) -> list[str]:
    console = Console(file=io.StringIO(), width=request.param)
    console.print(build_listing([StoredObject(key, 1000) for key in sorted(KEYS)]))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize(("name", "description"), ROWS.items())
def test_a_name_is_whole_and_has_its_own_description(lines, name, description):
    (row,) = [line for line in lines if line.startswith(f"{name} ")]
    assert description in row


def test_a_prefix_is_printed_once_and_whole(lines):
    assert [line for line in lines if line and not line.startswith(" ")] == [
        "datasets/invoices/",
        "results/invoices/",
        f"{RUN}/",
    ]
