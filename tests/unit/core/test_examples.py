"""Every example is valid, with unknown keys refused. The YAML of documentation pages: tests/unit/docs."""

from pathlib import Path

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_core.parsing import parse_strictly
from finscribe_core.trainer_config import TrainerConfig
from finscribe_core.yaml_files import Document, read_documents

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))


def check(document: Document) -> None:
    kind = document.data.get("kind")
    if kind == "FineTuneJob":
        parse_strictly(FineTuneJob, document)
    elif kind is None and {"dataset_path", "datasetPath"} & document.data.keys():
        parse_strictly(TrainerConfig, document)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_valid(path: Path):
    for document in read_documents(path):
        check(document)
