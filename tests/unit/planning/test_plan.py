"""`finscribe plan`: what it prints for the sample; cards, batches and times."""

import re
import tempfile
from pathlib import Path

import pytest
import yaml

from finscribe_trainer.planning.batches import Batch, Tokens, count, largest
from finscribe_trainer.planning.cards import CARDS, CONTEXT, GIB, LOST, fitting
from finscribe_trainer.planning.throughput import measured
from finscribe_trainer.training.sampler import DataOrder
from tests.support.command import finscribe


@pytest.fixture
def plan(config, tmp_path):
    """What the command prints for the three steps with the tiny model, with these options."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json", exclude_none=True)))

    def call(*options: str) -> str:
        done = finscribe(["plan", "--config", "config.yaml", *options], tmp_path)
        assert done.exit_code == 0, done.output
        return done.output

    return call


def test_a_plan_says_rows_tokens_steps_memory_cards_time_and_cost(plan, dataset, family):
    text = plan("--tokens-per-second", "100", "--price", "3.6")
    tokens = sum(row.all for row in count(dataset.examples, family))
    assert "rows      8 training, 4 validation" in text
    assert f"tokens    {tokens:,} an epoch" in text
    assert "steps     3, 2 per epoch, of 4 rows" in text
    sizes = dict(re.findall(r"^  (\w+(?: all)?) +([\d.]+) GiB$", text, re.MULTILINE))
    assert list(sizes) == [
        *("weights", "adapter", "optimizer", "activations", "logits", "cache", "in all"),
    ]
    assert "on a GPU in bfloat16" in text
    assert "fits on   T4 (16 GB), " in text
    assert f"cost      {1.5 * tokens / 100 / 3600 * 3.6:.2f} at 3.60 an hour" in text


def test_a_job_is_planned_with_its_gpus(config, tmp_path):
    job = {
        "apiVersion": "finscribe.io/v1alpha1",
        "kind": "FineTuneJob",
        "metadata": {"name": "invoices"},
        "spec": {
            "model": {"source": "hf://PaddlePaddle/PaddleOCR-VL"},
            "dataset": {"train": "s3://team-docs/train.jsonl", "validation": "s3://team-docs/val.jsonl"},
            "output": {"uri": "s3://team-models/invoices"},
            "cache": {"persistentVolumeClaim": {"name": "downloads"}},
            "training": {"perDeviceTrainBatchSize": 2, "effectiveBatchSize": 8, "numTrainEpochs": 3},
            "resources": {"gpus": 2, "nodes": 2},
        },
    }
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job))
    here = (
        f"{name}={getattr(config, name)}"
        for name in ("model_name_or_path", "dataset_path", "validation_path")
    )
    options = [word for setting in here for word in ("--set", setting)]

    done = finscribe(["plan", "--config", "job.yaml", *options, "--tokens-per-second", "100"], tmp_path)

    assert done.exit_code == 0, done.output
    assert "steps     3, 1 per epoch, of 8 rows, on 4 devices" in done.output
    assert "memory    on each GPU in bfloat16" in done.output
    job["spec"]["model"]["source"] = "oci://registry.example.com/models/paddleocr-vl:1"
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job))
    refused = finscribe(["plan", "--config", "job.yaml"], tmp_path)
    assert "job.yaml:13: a model in an image is not read here" in str(refused.exception)


@pytest.mark.train
def test_a_probe_measures_the_speed_by_training_and_keeps_nothing(plan, config, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    text = plan("--device", "cpu", "--probe")
    assert re.search(r"for all steps, without evaluations \(by 1 step in \d+\.\d s on this machine\)", text)
    assert "time      0 min" in text
    assert not list((tmp_path / "temporary").iterdir())
    assert not Path(config.output_dir).exists()


def test_a_plan_without_a_measured_speed_says_how_to_get_one(plan):
    text = plan("--device", "cpu")
    assert "on a CPU in float32" in text
    assert "time      not known" in text
    assert "fits on" not in text


def test_the_largest_batches_are_those_of_the_trainings_own_order():
    rows = [Tokens(length, length // 10, 0, 0) for length in (100, 400, 100, 100, 300, 90)]
    order = DataOrder(len(rows), seed=1)
    found = largest(order, rows, 2, num_epochs=3)
    cut = [order.of(epoch)[first : first + 2] for epoch in range(3) for first in (0, 2, 4)]
    assert sum(found[0].lengths) == max(sum(rows[row].all for row in batch) for batch in cut)
    assert found[1].num_padded == max(2 * max(rows[row].all for row in batch) for batch in cut)
    assert Batch((100, 300), 40, 0).num_padded == 600


def test_a_card_must_hold_the_peak_with_what_cuda_and_the_allocator_take():
    just_fits = int((CARDS["A100 (40 GB)"] * GIB - CONTEXT) / (1 + LOST))
    assert "A100 (40 GB)" in fitting(just_fits)
    assert "A100 (40 GB)" not in fitting(just_fits + GIB)
    assert fitting(200 * GIB) == []


def test_speeds_are_known_for_what_was_measured_only():
    assert measured(37_000_000, on_cpu=True)
    assert measured(900_000_000, on_cpu=True) is None
    assert measured(37_000_000, on_cpu=False) is None
