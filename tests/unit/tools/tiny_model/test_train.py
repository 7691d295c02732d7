"""Trains on small pages for seconds."""

import pytest
import torch

from tools.tiny_model.pages import PageSize
from tools.tiny_model.stages import Part, Stage
from tools.tiny_model.train import Training

STAGES = (
    Stage("first", (Part(PageSize(8, 1), 8),), 3),
    Stage("second", (Part(PageSize(8, 1), 8), Part(PageSize(8, 2), 4)), 3, decay=True),
)


@pytest.mark.train
def test_a_stopped_training_goes_on_with_the_same_bits(tmp_path):
    whole = Training(tmp_path / "whole", 1, STAGES)
    whole.run(stop=lambda: False)
    for total in (2, 5, 6):  # within a stage, and in the next one
        part = Training(tmp_path / "parts", 1, STAGES)
        part.run(stop=lambda part=part, total=total: part.progress.total >= total)

    assert part.finished
    weights = part.losses.state_dict()
    assert all(torch.equal(weight, weights[name]) for name, weight in whole.losses.state_dict().items())
    assert [row["transcription"] for row in part.progress.errors] == [
        row["transcription"] for row in whole.progress.errors
    ]


@pytest.mark.train
def test_the_loss_falls_within_some_steps(tmp_path):
    training = Training(tmp_path, 1, (Stage("lines", (Part(PageSize(8, 1), 32),), 50),))

    training.run(stop=lambda: False)

    first, second = training.progress.curve
    assert second["answer"] < 0.8 * first["answer"]
