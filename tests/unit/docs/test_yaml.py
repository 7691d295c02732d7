"""The YAML blocks of every page pass strict validation."""

import json
from dataclasses import replace

import jsonschema
import pytest
import yaml

from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_core.constants import KIND
from finscribe_core.experiments import ExperimentsFile
from finscribe_core.parsing import parse_strictly
from finscribe_core.trainer_config import TrainerConfig
from finscribe_core.yaml_files import Document, read_documents
from finscribe_operator.config import OperatorConfig
from finscribe_operator.local.manifest_file import Secret
from finscribe_trainer.data_tools.importing.mapping import FieldMapping
from tests.cases.invalid_specs import VALID
from tests.unit.docs.pages import ALL, ROOT

CHART = json.loads((ROOT / "charts/finscribe/values.schema.json").read_text())
"""The schema of the chart's values."""
KINDS = {KIND: FineTuneJob, "Secret": Secret, None: TrainerConfig}


def validate(document: Document) -> None:
    kind = document.data.get("kind")
    if "experiments" in document.data:
        parse_strictly(ExperimentsFile, document)
        return
    if "fields" in document.data:
        parse_strictly(FieldMapping, document)
        return
    if document.data.keys() & CHART["properties"].keys():
        jsonschema.validate(document.data, CHART)
        config = document.data.get("operator", {}).get("config", {})
        parse_strictly(OperatorConfig, replace(document, data=config))
        return
    if kind is None and set(document.data) == {"spec"}:  # sections of a FineTuneJob
        spec = VALID["spec"] | document.data["spec"]
        parse_strictly(FineTuneJob, replace(document, data=VALID | {"spec": spec}))
        return
    if kind is None:  # a block may be a section of the trainer's configuration
        document = replace(document, data={"dataset_path": "train.jsonl", **document.data})
    parse_strictly(KINDS[kind], document)


def test_the_configuration_in_the_example_for_kubeflow_is_valid(tmp_path):
    manifests = yaml.safe_load_all((ROOT / "examples/kubeflow.yaml").read_text())
    (config_map,) = (each for each in manifests if each["kind"] == "ConfigMap")
    path = tmp_path / "config.yaml"
    path.write_text(config_map["data"]["config.yaml"])
    (document,) = read_documents(path)
    parse_strictly(TrainerConfig, document)


@pytest.mark.parametrize("page", ALL.values(), ids=ALL.keys())
def test_the_yaml_of_a_page_is_valid(page, tmp_path):
    for number, block in enumerate(page.blocks("yaml")):
        path = tmp_path / f"{page.path.stem}-{number}.yaml"
        path.write_text(block, encoding="utf-8")
        for document in read_documents(path):
            validate(document)
