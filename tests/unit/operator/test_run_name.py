"""A run's name depends on what is trained, and on nothing else."""

import json

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_operator.objects import Object
from tests.unit.operator.builders import a_job, run_name

SAME = {
    "defaults are written out": {"method": "LoRA", "lora": {"r": 16}, "training": {"seed": 42}},
    "the API server adds every default": FineTuneJob.model_validate(a_job()).spec.to_kubernetes(),
    "it is suspended": {"suspend": True},
    "it may fail more often": {"backoffLimit": 9},
    "it may take longer": {"activeDeadlineSeconds": 60},
}
OTHER = {
    "a hyperparameter changes": {"training": {"learningRate": 1e-4}},
    "the data changes": {"dataset": {"train": "s3://docs/other.jsonl"}},
    "the image changes": {"image": "trainer:2"},
    "the pod changes": {"pod": {"nodeSelector": {"disk": "fast"}}},
}


@pytest.mark.parametrize("spec", SAME.values(), ids=SAME.keys())
def test_the_run_stays_the_same_when(spec: Object):
    assert run_name(a_job(spec)) == run_name(a_job())


@pytest.mark.parametrize("spec", OTHER.values(), ids=OTHER.keys())
def test_another_run_is_started_when(spec: Object):
    assert run_name(a_job(spec)) != run_name(a_job())


def test_the_order_of_keys_does_not_matter():
    job = a_job({"pod": {"labels": {"a": "1", "b": "2"}}, "method": "QLoRA"})
    reordered = json.loads(json.dumps(job), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert run_name(reordered) == run_name(job)


def test_a_job_that_is_created_again_gets_new_runs():
    again = a_job()
    again["metadata"]["uid"] = "another-uid"
    assert run_name(again) != run_name(a_job())


def test_the_name_must_not_change_between_versions_of_the_operator():
    assert run_name(a_job()) == "invoices-a64130b6"
