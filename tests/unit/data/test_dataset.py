import os

import pytest
from PIL import Image

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.dataset import load_dataset
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.jsonl import MAX_ROW_BYTES

GOOD = {"instruction": "Read.", "output": "{}"}


def with_image(name: str) -> dict:
    return {**GOOD, "image": name}


def with_input(text: str) -> dict:
    return {**GOOD, "input": text}


@pytest.fixture
def images(tmp_path):
    """Valid, damaged and unsupported images, and images outside the folder of rows.jsonl."""
    outside = tmp_path.parent / f"{tmp_path.name}-outside.png"
    Image.new("RGB", (40, 30)).save(outside)
    Image.effect_noise((400, 300), 80).save(tmp_path / "good.png")
    Image.effect_noise((400, 300), 80).save(tmp_path / "good.jpg")
    for name in ("png", "jpg"):
        content = (tmp_path / f"good.{name}").read_bytes()
        (tmp_path / f"cut.{name}").write_bytes(content[: len(content) // 2])
    for name in ("text.png", "text.pdf", "text"):
        (tmp_path / name).write_text("no image")
    (tmp_path / "link.png").symlink_to(outside)
    return tmp_path


BAD_FILES = {
    "not JSON": ([GOOD, b"{oops}\n"], "rows.jsonl:2: not valid JSON"),
    "truncated": ([GOOD, b'{"instruction": "Re'], "rows.jsonl:2: not valid JSON.*may be truncated"),
    "not UTF-8": ([GOOD, b'{"instruction": "\xff"}\n'], "rows.jsonl:2: not UTF-8"),
    "nested too deeply": ([b"[" * 100_000 + b"\n"], "rows.jsonl:1: .*nested too deeply"),
    "a number of thousands of digits": (
        [b'{"x": ' + b"1" * 5000 + b"}\n"],
        "rows.jsonl:1: not readable as JSON",
    ),
    "a huge line": ([b'"' + b"x" * MAX_ROW_BYTES + b'"\n', GOOD], "rows.jsonl:1: the row is longer than"),
    "a missing field, after a blank line": (
        [GOOD, b"\n", {"instruction": "x"}],
        "rows.jsonl:3: output is missing",
    ),
    "no rows": ([b"\n"], "rows.jsonl: there are no rows"),
    "image missing": ([GOOD, with_image("none.png")], "rows.jsonl:2: image 'none.png' does not exist"),
    "image of no format": (
        [with_image("text.png")],
        "rows.jsonl:1: image 'text.png' is not in a supported image format",
    ),
    "PNG cut off": ([with_image("cut.png")], "rows.jsonl:1: image 'cut.png' is damaged"),
    "JPEG cut off": ([with_image("cut.jpg")], "rows.jsonl:1: image 'cut.jpg' is damaged"),
    "image too large": (
        [with_image("good.png")],
        "rows.jsonl:1: image 'good.png' has 400 x 300 pixels, more than",
    ),
    "input is a PDF": (
        [GOOD, with_input("text.pdf")],
        "rows.jsonl:2: image 'text.pdf' .*; `finscribe data import` writes its pages",
    ),
    "input is a HEIC": (
        [with_input("a 1.HEIC")],
        "rows.jsonl:1: image 'a 1.HEIC' .*; convert it to PNG.*data import",
    ),
    "input has no suffix": ([with_input("images/0001")], "rows.jsonl:1: image 'images/0001' does not exist"),
    "input is a file without suffix": ([with_input("text")], "rows.jsonl:1: image 'text' is not in a supp"),
    "input is an URL with a query": (
        [with_input("https://x.example/1.png?a=b")],
        "rows.jsonl:1: image 'https",
    ),
    "an unknown key": ([{**GOOD, "image_path": "good.png"}], "rows.jsonl:1: key 'image_path' is not read"),
    "path goes up": ([with_image("../x.png")], "rows.jsonl:1: image '../x.png' is outside "),
    "path is absolute": ([with_image("/etc/x.png")], "rows.jsonl:1: image '/etc/x.png' is outside "),
    "path is an URL": ([with_image("http://x/y.png")], "rows.jsonl:1: .* must be a path with forward"),
    "path is an S3 URI": ([with_image("s3://x/y.png")], "rows.jsonl:1: image 's3://x/y.png' is outside "),
    "a link leads out": (
        [with_image("link.png")],
        "rows.jsonl:1: image 'link.png' is outside ",
    ),
}


@pytest.mark.parametrize(("rows", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_an_invalid_data_set_is_rejected_with_file_and_line(rows, message, images, write_rows):
    limit = 100_000 if "more than" in message else 10**6
    with pytest.raises(UserError, match=message) as caught:
        load_dataset(write_rows(*rows), max_image_pixels=limit)
    assert caught.value.reason is FailureReason.DatasetInvalid


def test_an_input_without_suffix_that_is_an_image_is_read_as_one(images, write_rows):
    (images / "good.png").rename(images / "good")
    [example] = load_dataset(write_rows(with_input("good")), max_image_pixels=10**6).examples
    assert example.images == (images / "good",)


def test_all_findings_are_reported_at_once_the_first_twenty_in_full(write_rows):
    with pytest.raises(UserError) as caught:
        load_dataset(write_rows(*[{"instruction": "x"}] * 25), max_image_pixels=10**6)
    lines = caught.value.message.splitlines()
    assert lines[19].startswith("rows.jsonl:20: output is missing")
    assert lines[20:] == ["... and 5 more problems."]


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(UserError, match=r"nothing\.jsonl: no such file") as caught:
        load_dataset(DataFile(tmp_path / "nothing.jsonl", "nothing.jsonl"), max_image_pixels=10**6)
    assert caught.value.reason is FailureReason.DatasetNotFound


def test_the_fingerprint_changes_with_a_pixel(images, write_rows):
    file = write_rows(with_image("good.png"))
    before = load_dataset(file, max_image_pixels=10**6).fingerprint
    assert load_dataset(file, max_image_pixels=10**6).fingerprint == before
    Image.new("RGB", (400, 300)).save(images / "good.png")
    os.utime(images / "good.png", (0, 0))
    assert load_dataset(file, max_image_pixels=10**6).fingerprint != before
