"""The shipped `finscribe/tiny-ocr-vl` is what this repository builds, and reads what its card says."""

import csv
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from safetensors import safe_open
from transformers import PaddleOCRVLConfig, PaddleOCRVLForConditionalGeneration

from finscribe_trainer.model.built_in import CHECKSUMS, FOLDER, find_built_in_model, read_checksums
from tools.tiny_model.batches import Batches
from tools.tiny_model.export import FINAL_ERRORS, ship
from tools.tiny_model.measure import error_rates
from tools.tiny_model.model import build_config, build_processor
from tools.tiny_model.pages import PageSize
from tools.tiny_model.tokenizer import build_tokenizer

MEGABYTES = 10


def test_all_files_have_checksums_and_only_safetensors_hold_weights():
    files = {file.name for file in find_built_in_model().iterdir()}
    assert files == {CHECKSUMS, *read_checksums(FOLDER)}
    assert {Path(name).suffix for name in files} <= {
        "",
        ".md",
        ".json",
        ".jinja",
        ".csv",
        ".png",
        ".safetensors",
    }


def test_the_weights_are_bfloat16_and_small():
    file = FOLDER / "model.safetensors"
    assert file.stat().st_size <= MEGABYTES * 1_000_000
    with safe_open(file, framework="pt") as weights:
        assert {weights.get_slice(name).get_dtype() for name in weights.keys()} == {"BF16"}  # noqa: SIM118 - no mapping


def test_tokenizer_processor_and_config_are_those_that_the_repository_builds(tmp_path):
    tokenizer = build_tokenizer()
    build_processor(tokenizer).save_pretrained(tmp_path)
    names = {file.name for file in tmp_path.iterdir()}
    assert {
        "tokenizer.json",
        "tokenizer_config.json",
        "processor_config.json",
        "chat_template.jinja",
    } <= names
    for name in names:
        assert (FOLDER / name).read_text(encoding="utf-8") == (tmp_path / name).read_text(encoding="utf-8"), (
            name
        )
    built, shipped = build_config(tokenizer), PaddleOCRVLConfig.from_pretrained(FOLDER)
    for part in ("text_config", "vision_config"):
        expected = getattr(built, part).to_dict()
        for name, value in getattr(shipped, part).to_dict().items():
            assert name == "dtype" or value == expected[name], name


def test_the_card_names_its_licence_and_the_error_rates_that_were_measured():
    card = ModelCard.load(FOLDER / "README.md")
    assert card.data.license == "apache-2.0"
    with (FOLDER / FINAL_ERRORS).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["size"] for row in rows] == ["12x2", "16x5", "20x10", "24x14", "32x20"]
    for row in rows:
        rates = [float(row[name]) for name in ("transcription", "lookup", "exact")]
        table = f"| {row['size']} | {rates[0]:.2%} | {rates[1]:.2%} | {rates[2]:.1%} |"
        assert table in card.text
    assert f"{rows[0]['pages']} for each size" in card.text


@pytest.mark.train
@pytest.mark.parametrize(
    ("size", "pages", "most"), [(PageSize(12, 2), 16, 0.01), (PageSize(20, 10), 4, 0.02)]
)
def test_it_reads_pages_with_values_that_no_training_page_had(size, pages, most):
    model = PaddleOCRVLForConditionalGeneration.from_pretrained(FOLDER, dtype=torch.float32).eval()
    rates = error_rates(model, Batches(build_tokenizer()), size, pages)
    assert rates.transcription <= most


def test_a_shipped_export_replaces_all_earlier_files_and_matches_its_checksums(tmp_path):
    exported, package = tmp_path / "export", tmp_path / "package"
    for folder, name in ((exported, "config.json"), (package, "outdated.json")):
        folder.mkdir()
        (folder / name).write_text("{}")
    ship(exported, package)
    assert {file.name for file in package.iterdir()} == {"config.json", CHECKSUMS}
    assert find_built_in_model(package) == package
