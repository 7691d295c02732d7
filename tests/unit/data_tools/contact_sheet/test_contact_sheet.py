import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw

from finscribe_core.cli import main_command
from finscribe_core.errors import UserError
from finscribe_trainer.batches.augmentation.params import AugmentationParams
from finscribe_trainer.cli.contact_sheet import contact_sheet
from finscribe_trainer.data_tools.contact_sheet.cell import CAPTION_HEIGHT, HEIGHT, WIDTH, describe, draw_cell

EVERYTHING = AugmentationParams(
    angle=-3.26,
    corner_shifts=((0, 0),) * 4,
    scale=0.95,
    brightness=0.9,
    contrast=1.1,
    blur=0.8,
    noise_std=0.02,
    jpeg_quality=71,
)


@pytest.fixture
def config(tmp_path):
    """Five rows: four with an image and a box in their answers, one without an image."""
    rows = []
    for number in range(4):
        page = Image.new("RGB", (620, 877), "white")
        ImageDraw.Draw(page).text((100, 100 + 50 * number), f"Invoice {number}", "black", font_size=30)
        page.save(tmp_path / f"{number}.png")
        answer = {"line_items": [{"sku": "A", "bbox": [100, 500, 500, 540]}]}
        rows.append({"prompt": "Read.", "image": f"{number}.png", "completion": json.dumps(answer)})
    rows.append({"prompt": "Read: Total 12.00", "completion": "12.00"})
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = tmp_path / "config.yaml"
    path.write_text(f"dataset_path: {tmp_path}/train.jsonl\nvalidation_path: {tmp_path}/train.jsonl\n")
    return path


def write(config, *options: str):
    arguments = ["--config", str(config), "--output", str(config.parent / "out" / "sheet.png"), *options]
    return CliRunner().invoke(contact_sheet, arguments)


def test_a_sheet_has_a_row_for_each_page_and_a_column_for_each_view(config):
    result = write(config, "--rows", "9", "--views", "2")
    assert result.exit_code == 0, result.output
    assert "only if augmentation.enabled is true" in result.output
    width, height = Image.open(config.parent / "out" / "sheet.png").size
    assert (width // WIDTH, height // HEIGHT) == (3, 4)


def test_a_sheet_is_reproducible_and_depends_on_the_settings(config):
    sheets = []
    for options in ([], [], ["--set", "training.seed=7"]):
        assert write(config, "--overwrite", "--rows", "1", "--views", "1", *options).exit_code == 0
        sheets.append((config.parent / "out" / "sheet.png").read_bytes())
    assert sheets[0] == sheets[1] != sheets[2]


def test_boxes_are_outlined():
    cell = draw_cell(
        Image.new("RGB", (600, 800), "white"), [[100.0, 200.0, 500.0, 300.0]], (300, 50), ("", "")
    )
    red, green, _, _ = np.asarray(cell, dtype=int).transpose(2, 0, 1)
    y, x = np.nonzero(red - green > 100)
    assert (x.min(), y.min(), x.max(), y.max()) == (50, 100, 250, 150)


@pytest.mark.parametrize("caption", [describe(EVERYTHING), ("W " * 80 + ".png, 600 x 800", "/a/b" * 60)])
def test_a_long_caption_stays_within_the_cell(caption):
    page = Image.new("RGB", (600, 800), "white")
    cell = draw_cell(page, [], (300, 50), caption)
    ink = cell.crop((0, HEIGHT - CAPTION_HEIGHT, WIDTH, HEIGHT)).getbbox()
    assert ink is not None
    assert ink[0] > 0
    assert ink[2] < WIDTH
    assert ink[3] < CAPTION_HEIGHT


def test_a_caption_describes_the_augmentation():
    params = AugmentationParams(
        angle=-3.26, corner_shifts=((0, 0),) * 4, brightness=0.9, noise_std=0.02, jpeg_quality=71
    )
    assert describe(params) == ("rotated -3.3°, perspective, JPEG 71", "brightness 0.90, noise 0.020")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "0.png").write_bytes(b"no image"), "not in a supported image format"),
        (
            lambda folder: (folder / "train.jsonl").write_text('{"prompt": 1}\n'),
            "train.jsonl:1: prompt must be",
        ),
        (
            lambda folder: (folder / "train.jsonl").write_text('{"prompt": "Read.", "completion": "1"}\n'),
            "no row has an image",
        ),
    ],
)
def test_invalid_rows_are_reported(config, damage, message):
    damage(config.parent)
    with pytest.raises(UserError, match=message):
        raise write(config).exception


def test_the_command_requires_an_image_file_as_output(config):
    arguments = ["data", "contact-sheet", "--config", str(config), "--output", "sheet.txt"]
    result = CliRunner().invoke(main_command, arguments)
    assert result.exit_code == 2
    assert "must end in .png" in result.output
