"""Epochs may be fractions, as in Hugging Face; a whole number is the same setting with decimals."""

import json
import warnings

import pytest
from pydantic import ValidationError

from finscribe_core.api.crd import build_schema
from finscribe_core.trainer_config import TrainingSpec


@pytest.mark.parametrize(("value", "text"), [(3, "3"), (3.0, "3"), (0.5, "0.5"), (1.25, "1.25")])
def test_epochs_are_accepted_as_hugging_face_does(value, text):
    spec = TrainingSpec.model_validate({"num_train_epochs": value})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dumped = spec.model_dump(mode="json")["num_train_epochs"]
    assert json.dumps(dumped) == text


@pytest.mark.parametrize("value", [0, -1, 0.0, 10001, float("nan"), float("inf"), "3", True])
def test_other_values_are_rejected(value):
    with pytest.raises(ValidationError):
        TrainingSpec.model_validate({"num_train_epochs": value})


def test_the_api_server_accepts_fractions_too():
    field = build_schema(TrainingSpec)["properties"]["numTrainEpochs"]
    assert (field["type"], field["minimum"], field["exclusiveMinimum"]) == ("number", 0, True)
