"""A training on a table with the bytes of its images is, to the bit, that on the same rows as JSON lines."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.evaluation.results import read_results
from finscribe_trainer.pipeline.recipe import train
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.training.run import Run

pytestmark = pytest.mark.train


def as_table(lines: str, target: Path) -> str:
    """Writes rows that name files as a table that contains them."""
    rows = [json.loads(line) for line in Path(lines).read_text().splitlines()]
    for row in rows:
        if name := row.pop("image", None) or (row.get("input", "").endswith(".png") and row.pop("input")):
            row["image"] = {"bytes": (Path(lines).parent / name).read_bytes(), "path": name}
    keys = dict.fromkeys(key for row in rows for key in row)  # Arrow takes those of the first row
    pq.write_table(pa.Table.from_pylist([keys | row for row in rows]), target, row_group_size=3)
    return str(target)


def trained(config: TrainerConfig, folder: Path) -> tuple[bytes, list[str]]:
    """The adapter, and the answers of the tuned model."""
    train(
        Run(
            config.model_copy(update={"output_dir": str(folder)}), "run", None,
            RunReporter(run="run", job="j"), StopSignal(),
        )
    )  # fmt: skip
    results = read_results(folder / "evaluation/results-tuned.json")
    adapter = (folder / "final_model/adapter_model.safetensors").read_bytes()
    return adapter, [document.predicted for document in results.documents]


def test_a_table_with_images_is_trained_on_as_the_same_rows_with_files_are(config, tmp_path):
    settings = config.training.model_copy(
        update={"max_steps": 2, "per_device_train_batch_size": 3, "dataloader_num_workers": 1}
    )
    answers = config.evaluation.model_copy(update={"enabled": True, "max_new_tokens": 4})
    config = config.model_copy(update={"training": settings, "evaluation": answers})
    tables = {
        "dataset_path": as_table(config.dataset_path, tmp_path / "train.parquet"),
        "validation_path": as_table(config.validation_path, tmp_path / "val.parquet"),
    }
    in_tables = trained(config.model_copy(update=tables), tmp_path / "from-tables")
    assert in_tables == trained(config, tmp_path / "from-lines")
    report = (tmp_path / "from-tables/evaluation/report.html").read_text()
    assert "val.parquet" in report
    assert report.count("data:image") == (tmp_path / "from-lines/evaluation/report.html").read_text().count(
        "data:image"
    )
