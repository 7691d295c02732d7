"""Whatever a page names must exist: files, headings, make targets, chart values, fields of a job."""

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel

from finscribe_core.api.v1alpha1 import FineTuneJobSpec, FineTuneJobStatus
from finscribe_core.fields import unknown_keys
from finscribe_trainer.data.files import ROW_SUFFIXES
from finscribe_trainer.documents.schema import Document
from finscribe_trainer.runtime.output_layout import CONFIG_FILE, METRICS_FILE
from tests.unit.docs.pages import ALL, ROOT, Page

OF_A_RUN = {
    *(CONFIG_FILE, METRICS_FILE, "manifest.json", "latest.json", "trainer_state.json"),
    *("adapter_config.json", "adapter_model.safetensors", "config.json", "final_model/README.md"),
    *("adapter_model.bin", "training_state.json", "chat_template.jinja"),
    *("report.html", "report.md", "results-base.json", "results-tuned.json", "evaluation/report.html"),
    *("generated.json", "final_model/", "merged_model/", "adapter/", "merged/", "logs/", "runs/"),
}
"""Files that runs and models hold, not the repository."""
OF_A_USER = ("experiments.yaml", "sweep/", "data/", "evaluation/", "finetune_config.yaml")
"""What the training guide's commands call a user's own files by."""
SUFFIXES = (".py", ".md", ".html", ".yaml", ".yml", ".json", ".toml", ".tpl")

pages = pytest.mark.parametrize("page", ALL.values(), ids=ALL.keys())


@cache
def repository() -> list[str]:
    """Every file and folder of the repository; what is ignored aside."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    folders = {str(folder) + "/" for name in listing for folder in Path(name).parents if folder != Path()}
    return [*listing, *folders]


def exists(name: str) -> bool:
    """Whether a file or folder ends so: pages leave out the folder that the text is about."""
    return any(f"/{entry}".rstrip("/").endswith(f"/{name}".rstrip("/")) for entry in repository())


def named_paths(page: Page) -> set[str]:
    """What looks like a file or folder of the repository, in the text and as an argument of a command."""
    top = {entry.partition("/")[0] for entry in repository() if "/" in entry}
    arguments = (word for command in page.commands for word in command.split())
    words = [*page.inline, *(word for word in arguments if not word.startswith(OF_A_USER))]
    found = {word for word in words if re.fullmatch(r"\.?[\w.-]+(/[\w.-]+)*/?", word)}
    return {
        word
        for word in found - OF_A_RUN
        if word.partition("/")[0] in top or word.endswith("/") or word.endswith(SUFFIXES)
    }


@pages
def test_the_links_of_a_page_lead_somewhere(page):
    broken = []
    for link in page.links:
        name, _, anchor = link.partition("#")
        target = (page.path.parent / name).resolve() if name else page.path
        if not target.exists() or (anchor and anchor not in Page(target).anchors):
            broken.append(link)
    assert broken == []


@pages
def test_the_files_a_page_names_exist(page):
    made = {word for text in page.blocks("") for word in re.findall(r"[\w.-]+/?", text)}
    made |= {name for line in page.commands for name in re.findall(r"--output(?:-dir)? (\S+)", line)}
    assert {path for path in named_paths(page) if not exists(path)} - made == set()


@pages
def test_the_make_targets_a_page_names_exist(page):
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = [*page.inline, *page.commands]
    named = {name for text in code for name in re.findall(r"\bmake ([a-z][a-z0-9-]*)", text)}
    assert named - targets == set()


@cache
def chart_values() -> dict:
    """The chart's values."""
    return yaml.safe_load((ROOT / "charts/finscribe/values.yaml").read_text())


def is_value(name: str) -> bool:
    """Whether the chart has such a value."""
    found: object = chart_values()
    for key in name.split("."):
        if not isinstance(found, dict) or key not in found:
            return False
        found = found[key]
    return True


def is_field(model: type[BaseModel], name: str) -> bool:
    """Whether a spec or status has such a field, by the API server's spelling or the trainer's file's."""
    data: object = None
    for key in reversed(name.split(".")):
        data = {key: data}
    return unknown_keys(model, data) == []


def is_document_field(name: str) -> bool:
    """Whether a document of the canonical schema has such a field."""
    part: object = Document
    for key in name.split("."):
        fields = getattr(part, "model_fields", {})
        if key not in fields:
            return False
        part = next(iter(_models_of(fields[key].annotation)), None)
    return True


def _models_of(annotation: object) -> list[type[BaseModel]]:
    """The models within an annotation such as `list[LineItem] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_of(inner)]


def dotted_names(page: Page) -> list[str]:
    """Names such as spec.lora.r, in the text."""
    names = [code.lstrip(".") for code in page.inline if re.fullmatch(r"\.?[a-zA-Z]\w*(\.\w+)+", code)]
    return [
        name for name in names if name not in OF_A_RUN and not f".{name}".endswith((*SUFFIXES, *ROW_SUFFIXES))
    ]


@pages
def test_the_chart_values_a_page_sets_exist(page):
    helm = [command for command in page.commands if "helm " in command]  # our own commands have a --set, too
    named = [name for command in helm for name in re.findall(r"--set ([\w.]+)=", command)]
    assert [name for name in named if not is_value(name)] == []


@pages
def test_the_fields_and_values_a_page_names_exist(page):
    unknown = []
    for name in dotted_names(page):
        root, _, rest = name.partition(".")
        model: type[BaseModel] = FineTuneJobStatus if root == "status" else FineTuneJobSpec
        known = is_field(model, rest if root in ("spec", "status") else name)
        if not (known or is_value(name) or is_document_field(name)):
            unknown.append(name)
    assert unknown == []


@pages
def test_the_environment_variables_a_page_names_exist(page):
    sources = "".join(path.read_text() for path in (ROOT / "finscribe_core").rglob("*.py"))
    named = {name for code in page.inline for name in re.findall(r"\b(?:FINSCRIBE|AWS)_[A-Z_]+", code)}
    assert {name for name in named if name not in sources} == set()
