"""Objects that processes pass each other are the same after their way through JSON."""

import math
from pathlib import Path
from typing import Any

import pytest

from finscribe_trainer.data.splits import Splits
from finscribe_trainer.distributed.json_objects import decode, encode
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.training.checkpoints import Checkpoint


def test_what_a_run_starts_from_is_the_same_after_its_way_through_json(dataset):
    splits = Splits(dataset.examples, dataset.examples[:2], "a", None, 3, (5, 7), dataset.examples[2:], "b")
    checkpoint = Checkpoint(Path("out/checkpoint-3"), {"global_step": 3, "log_history": [{"loss": 0.5}]})
    for value in (splits, checkpoint, ModelSource("out/model", None, "s3://team/model")):
        assert decode(encode(value), type(value)) == value
    assert decode(encode(None), Checkpoint | None) is None


def test_numbers_that_json_has_no_sign_for_stay():
    found = decode(encode({"loss": math.nan, "best": math.inf}), Any)
    assert math.isnan(found["loss"])
    assert found["best"] == math.inf


def test_an_object_that_is_no_json_is_refused():
    with pytest.raises(TypeError, match="object can't be passed"):
        encode({"model": object()})
