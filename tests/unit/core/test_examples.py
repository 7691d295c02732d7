"""What users copy must be right: every example, and every YAML block of a page, validates strictly."""

import re
from pathlib import Path

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_core.errors import FailureReason
from finscribe_core.files import Document, parse_strictly, read_documents
from finscribe_core.trainer_config import TrainerConfig

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_yaml_of_a_page_is_valid(page: Path, tmp_path: Path):
    for number, block in enumerate(BLOCK.findall(page.read_text(encoding="utf-8"))):
        path = tmp_path / f"{page.stem}-{number}.yaml"
        path.write_text(block, encoding="utf-8")
        for document in read_documents(path):
            check(document)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Path):
    text = re.sub(r"`[^`\n]*`", "", page.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)

    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_troubleshooting_knows_every_reason_of_a_failure():
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")

    assert [reason for reason in FailureReason if f"| `{reason}` |" not in page] == []
