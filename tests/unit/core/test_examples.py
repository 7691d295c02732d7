"""Every example is valid, with unknown keys refused. The YAML of documentation pages: tests/unit/docs."""

from dataclasses import replace
from pathlib import Path

import pytest

from finscribe_core.api.job_settings import build_trainer_config
from finscribe_core.api.v1alpha1 import FineTuneJob, FineTuneJobStatus
from finscribe_core.parsing import parse_strictly
from finscribe_core.trainer_config import TrainerConfig
from finscribe_core.yaml_files import Document, read_documents
from finscribe_operator.config import OperatorConfig
from finscribe_operator.limits import find_excesses
from finscribe_operator.objects import Object
from finscribe_operator.runs import find_run
from tests.unit.operator.builders import a_job

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))


def check(document: Document) -> None:
    kind = document.data.get("kind")
    if kind == "FineTuneJob":
        parse_strictly(FineTuneJob, document)
    elif "operator" in document.data:  # values of the chart
        parse_strictly(OperatorConfig, replace(document, data=document.data["operator"]["config"]))
    elif kind is None and {"dataset_path", "datasetPath"} & document.data.keys():
        parse_strictly(TrainerConfig, document)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_valid(path: Path):
    for document in read_documents(path):
        check(document)


def test_the_two_examples_for_own_documents_are_the_same_training():
    (config,) = read_documents(ROOT / "examples/own-documents.yaml")
    (job,) = read_documents(ROOT / "examples/own-documents-job.yaml")
    alone = parse_strictly(TrainerConfig, config)
    in_a_job = build_trainer_config(parse_strictly(FineTuneJob, job))

    for part in ("model_name_or_path", "method", "lora", "training", "early_stopping", "output_formats"):
        assert getattr(in_a_job, part) == getattr(alone, part), part


def test_the_recommended_limits_allow_a_usual_job_that_its_defaults_complete():
    (document,) = read_documents(ROOT / "examples/operator-limits.yaml")
    config = parse_strictly(OperatorConfig, replace(document, data=document.data["operator"]["config"]))
    spec = {
        "model": {"source": "hf://PaddlePaddle/PaddleOCR-VL"},
        "dataset": {"train": "s3://team-docs/train.jsonl"},
        "output": {"uri": "s3://team-models/invoices"},
    }

    job, _ = find_run(a_job() | {"spec": spec}, FineTuneJobStatus(), defaults=config.defaults.as_written())

    assert find_excesses(job, config.limits) == []


OVERREACHING: Object = {
    "model": {"source": "hf://mallory/model"},
    "dataset": {"train": "s3://other-team/contracts.jsonl"},
    "output": {"uri": "s3://attacker/loot"},
    "image": "registry.attacker.example/anything:latest",
    "storage": {"endpoint": "http://169.254.169.254/latest", "serviceAccountName": "payments"},
    "resources": {"gpus": 16, "extended": {"devices.kubevirt.io/kvm": 1}, "memory": "64Ti"},
    "pod": {
        "annotations": {"vault.hashicorp.com/agent-inject": "true"},
        "env": [{"name": "LD_PRELOAD", "value": "/tmp/a.so"}],
        "nodeSelector": {"node-role.kubernetes.io/control-plane": ""},
        "tolerations": [{"operator": "Exists"}],
        "priorityClassName": "system-node-critical",
    },
    "activeDeadlineSeconds": 10**9,
}


@pytest.mark.parametrize("field", OVERREACHING)
def test_the_recommended_limits_refuse_each_part_of_a_job_that_overreaches(field: str):
    (document,) = read_documents(ROOT / "examples/operator-limits.yaml")
    config = parse_strictly(OperatorConfig, replace(document, data=document.data["operator"]["config"]))
    job = FineTuneJob.model_validate(a_job({field: OVERREACHING[field]}))

    assert any(excess.startswith(f"spec.{field}") for excess in find_excesses(job, config.limits))
