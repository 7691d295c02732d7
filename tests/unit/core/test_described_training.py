"""A sentence says how a job trains, as far as its spec says it."""

import pytest

from finscribe_core.api.described_training import describe_training
from finscribe_core.api.v1alpha1 import FineTuneJobSpec

CASES = [
    ({}, "It trains for at most 5 epochs, with 16 rows per step, on 1 GPU."),
    (
        {"resources": {"gpus": 4, "nodes": 2}, "earlyStopping": {"enabled": False}},
        "It trains for 5 epochs, with 128 rows per step, on 8 GPUs of 2 nodes.",
    ),
    (
        {"training": {"maxSteps": 2000, "effectiveBatchSize": 64}, "resources": {"gpus": 8}},
        "It trains for at most 2,000 optimizer steps, with 64 rows per step, on 8 GPUs.",
    ),
    (
        {"training": {"numTrainEpochs": 1, "perDeviceTrainBatchSize": 2}, "resources": {"gpus": 0}},
        "It trains for at most 1 epoch, with 4 rows per step, on the CPU.",
    ),
    (
        {"experiments": [{"name": "low", "overrides": {"training.learningRate": 1e-5}}]},
        "It trains for at most 5 epochs, with 16 rows per step, on 1 GPU; experiments (1) change some of it.",
    ),
]


@pytest.mark.parametrize(("settings", "text"), CASES)
def test_a_sentence_says_length_batch_and_gpus(settings, text):
    spec = {
        "model": {"source": "hf://PaddlePaddle/PaddleOCR-VL"},
        "dataset": {"train": "s3://data/train.jsonl"},
        "output": {"uri": "s3://models/x"},
    }
    assert describe_training(FineTuneJobSpec.model_validate(spec | settings)) == text
