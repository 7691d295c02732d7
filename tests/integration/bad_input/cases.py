"""Invalid data, models, buckets and specs, each with the expected reason and parts of the message."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from finscribe_core.errors import FailureReason
from tests.integration.bad_input.valid_job import ROW, ValidJob


@dataclass(frozen=True)
class Case:
    """One invalid input."""

    name: str
    invalidate: Callable[[ValidJob], None]
    reason: FailureReason
    message_parts: tuple[str, ...]


def _image_row(image: str) -> dict[str, str]:
    return {**ROW, "image": image}


def _png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (width, height), 255).save(buffer, "PNG")
    return buffer.getvalue()


def _malformed(job: ValidJob) -> None:
    job.put("train.jsonl", json.dumps(ROW).encode() + b"\n{'prompt': 1}\n")


def _truncated(job: ValidJob) -> None:
    job.put("train.jsonl", (json.dumps(ROW) + "\n" + json.dumps(ROW)).encode()[:-9])


def _no_answer(job: ValidJob) -> None:
    job.put_rows("train.jsonl", [ROW, {"instruction": "Read."}])


def _missing_image(job: ValidJob) -> None:
    job.put_rows("train.jsonl", [ROW, _image_row("images/gone.png")])


def _corrupt_image(job: ValidJob) -> None:
    job.put("images/bad.png", _png(64, 64)[:-30])
    job.put_rows("train.jsonl", [ROW, _image_row("images/bad.png")])


def _huge_image(job: ValidJob) -> None:
    job.put("images/big.png", _png(300, 300))
    job.set("dataset.maxImagePixels", 10_000)
    job.put_rows("train.jsonl", [ROW, _image_row("images/big.png")])


def _escaping_path(job: ValidJob) -> None:
    job.put_rows("train.jsonl", [ROW, _image_row("../../etc/passwd.png")])


def _empty(job: ValidJob) -> None:
    job.put("train.jsonl", b"\n")


def _no_image(job: ValidJob) -> None:
    job.set("dataset.requireImages", True)


def _input_names_a_pdf(job: ValidJob) -> None:
    job.put("scans/1.pdf", b"%PDF-1.7")
    job.put_rows("train.jsonl", [ROW, {"instruction": "Read.", "input": "scans/1.pdf", "output": "{}"}])


def _deep_json(job: ValidJob) -> None:
    row = json.dumps(ROW).encode()
    job.put("train.jsonl", row + b'\n{"prompt": "x", "completion": ' + b"[" * 50_000 + b"]" * 50_000 + b"}\n")


def _no_validation(job: ValidJob) -> None:
    job.set("dataset.validation", job.uri("data/gone.jsonl"))


def _no_bucket(job: ValidJob) -> None:
    job.set("dataset.train", "s3://no-such-bucket-at-all/train.jsonl")


def _no_output_bucket(job: ValidJob) -> None:
    job.set("output.uri", "s3://no-such-bucket-at-all/results")


def _no_model(job: ValidJob) -> None:
    job.set("model.source", job.uri("models/none"))


def _no_targets(job: ValidJob) -> None:
    job.set("lora.targetModules", ["c_attn"])


CASES = [
    Case("malformed JSONL", _malformed, FailureReason.DatasetInvalid, ("train.jsonl:2", "JSON")),
    Case("truncated JSONL", _truncated, FailureReason.DatasetInvalid, ("train.jsonl:2", "truncated")),
    Case("row without answer", _no_answer, FailureReason.DatasetInvalid, ("train.jsonl:2", "output")),
    Case("missing image", _missing_image, FailureReason.DatasetInvalid, ("train.jsonl:2", "gone.png")),
    Case("corrupt image", _corrupt_image, FailureReason.DatasetInvalid, ("train.jsonl:2", "bad.png")),
    Case("huge image", _huge_image, FailureReason.DatasetInvalid, ("train.jsonl:2", "max_image_pixels")),
    Case("escaping path", _escaping_path, FailureReason.DatasetInvalid, ("train.jsonl:2", "..")),
    Case("no image", _no_image, FailureReason.DatasetInvalid, ("0 of 8", "reads images")),
    Case("PDF as input", _input_names_a_pdf, FailureReason.DatasetInvalid, ("train.jsonl:2", "scans/1.pdf")),
    Case("deep JSON", _deep_json, FailureReason.DatasetInvalid, ("train.jsonl:2", "nested too deeply")),
    Case("empty dataset", _empty, FailureReason.DatasetInvalid, ("train.jsonl", "no rows")),
    Case("no validation file", _no_validation, FailureReason.DatasetNotFound, ("gone.jsonl",)),
    Case("no dataset bucket", _no_bucket, FailureReason.DatasetNotFound, ("no-such-bucket-at-all",)),
    Case("no output bucket", _no_output_bucket, FailureReason.OutputNotFound, ("no-such-bucket-at-all",)),
    Case("no model", _no_model, FailureReason.ModelNotFound, ("models/none",)),
    Case("no target modules", _no_targets, FailureReason.LoraTargetsNotFound, ("c_attn",)),
]
