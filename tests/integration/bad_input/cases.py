"""What people get wrong, and what breaks under them: each with the reason and the words they are to see."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from finscribe_core.errors import FailureReason
from tests.integration.bad_input.world import ROW, World


@dataclass(frozen=True)
class Case:
    """One mistake."""

    name: str
    spoil: Callable[[World], None]
    reason: FailureReason
    says: tuple[str, ...]
    """Parts of the message."""


def _image_row(image: str) -> dict[str, str]:
    return {**ROW, "image": image}


def _png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (width, height), 255).save(buffer, "PNG")
    return buffer.getvalue()


def _malformed(world: World) -> None:
    world.put("train.jsonl", json.dumps(ROW).encode() + b"\n{'prompt': 1}\n")


def _truncated(world: World) -> None:
    world.put("train.jsonl", (json.dumps(ROW) + "\n" + json.dumps(ROW)).encode()[:-9])


def _no_answer(world: World) -> None:
    world.put_rows("train.jsonl", [ROW, {"instruction": "Read."}])


def _missing_image(world: World) -> None:
    world.put_rows("train.jsonl", [ROW, _image_row("images/gone.png")])


def _corrupt_image(world: World) -> None:
    world.put("images/bad.png", _png(64, 64)[:-30])
    world.put_rows("train.jsonl", [ROW, _image_row("images/bad.png")])


def _huge_image(world: World) -> None:
    world.put("images/big.png", _png(300, 300))
    world.set("dataset.maxImagePixels", 10_000)
    world.put_rows("train.jsonl", [ROW, _image_row("images/big.png")])


def _escaping_path(world: World) -> None:
    world.put_rows("train.jsonl", [ROW, _image_row("../../etc/passwd.png")])


def _empty(world: World) -> None:
    world.put("train.jsonl", b"\n")


def _no_validation(world: World) -> None:
    world.set("dataset.validation", world.uri("data/gone.jsonl"))


def _no_bucket(world: World) -> None:
    world.set("dataset.train", "s3://no-such-bucket-at-all/train.jsonl")


def _no_output_bucket(world: World) -> None:
    world.set("output.uri", "s3://no-such-bucket-at-all/results")


def _no_model(world: World) -> None:
    world.set("model.source", world.uri("models/none"))


def _no_targets(world: World) -> None:
    world.set("lora.targetModules", ["c_attn"])


CASES = [
    Case("malformed JSONL", _malformed, FailureReason.DatasetInvalid, ("train.jsonl:2", "JSON")),
    Case("truncated JSONL", _truncated, FailureReason.DatasetInvalid, ("train.jsonl:2", "truncated")),
    Case("row without answer", _no_answer, FailureReason.DatasetInvalid, ("train.jsonl:2", "output")),
    Case("missing image", _missing_image, FailureReason.DatasetInvalid, ("train.jsonl:2", "gone.png")),
    Case("corrupt image", _corrupt_image, FailureReason.DatasetInvalid, ("train.jsonl:2", "bad.png")),
    Case("huge image", _huge_image, FailureReason.DatasetInvalid, ("train.jsonl:2", "maxImagePixels")),
    Case("escaping path", _escaping_path, FailureReason.DatasetInvalid, ("train.jsonl:2", "..")),
    Case("empty dataset", _empty, FailureReason.DatasetInvalid, ("train.jsonl", "no rows")),
    Case("no validation file", _no_validation, FailureReason.DatasetNotFound, ("gone.jsonl",)),
    Case("no dataset bucket", _no_bucket, FailureReason.DatasetNotFound, ("no-such-bucket-at-all",)),
    Case("no output bucket", _no_output_bucket, FailureReason.OutputNotFound, ("no-such-bucket-at-all",)),
    Case("no model", _no_model, FailureReason.ModelNotFound, ("models/none",)),
    Case("no target modules", _no_targets, FailureReason.LoraTargetsNotFound, ("c_attn",)),
]
