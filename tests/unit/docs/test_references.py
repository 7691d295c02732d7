"""Files, headings, make targets, chart values and fields that a page names exist."""

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel

from finscribe_core.api.v1alpha1 import FineTuneJobSpec, FineTuneJobStatus
from finscribe_core.fields import unknown_keys
from finscribe_operator.config import OperatorConfig
from finscribe_trainer.data.files import ROW_SUFFIXES
from finscribe_trainer.documents.schema import Document
from finscribe_trainer.runtime.output_layout import CONFIG_FILE, METRICS_FILE
from tests.unit.docs.pages import ALL, ROOT, Page

OUTPUT_FILES = {
    *(CONFIG_FILE, METRICS_FILE, "manifest.json", "latest.json", "trainer_state.json"),
    *("adapter_config.json", "adapter_model.safetensors", "config.json", "final_model/README.md"),
    *("adapter_model.bin", "quantization_config.json", "training_state.json", "chat_template.jinja"),
    *("report.html", "report.md", "results-base.json", "results-tuned.json", "evaluation/report.html"),
    *("results-promoted.json", "calibration.json"),
    *("sbom-operator.json", "sbom-trainer.json", "licences-operator.md", "licences-trainer.md"),
    *("sbom-ui.json", "licences-ui.md"),
    *("finscribe.yaml", "import.json", "rows.jsonl", "pages/", "rows/train.json"),
    *("generated.json", "final_model/", "merged_model/", "adapter/", "merged/", "logs/", "runs/"),
}
"""Files of runs, models and releases, which are not in the repository."""
OTHER_PROGRAMS = {
    *(
        "0001.pdf",
        "0001.json",
        "invoices/",
        "imported/",
        "fields.yaml",
        "metadata.jsonl",
        "metadata.NAME",
        "Label.txt",
    ),
    *("a.json", "rec_gt.txt", "img/", "entities/", "key/", "images/", "annotations/"),
}
"""What is imported, in the names of users and of other programs."""
USER_FILES = ("experiments.yaml", "sweep/", "data/", "evaluation/", "finetune_config.yaml", "finscribe-demo/")
"""Prefixes of a user's own files in the commands of the training guide and the tutorial."""
SUFFIXES = (".py", ".md", ".html", ".yaml", ".yml", ".json", ".toml", ".tpl", ".lock")

pages = pytest.mark.parametrize("page", ALL.values(), ids=ALL.keys())


@cache
def repository() -> list[str]:
    """Every file and folder of the repository that git does not ignore."""
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
    """Whether the path of a file or folder ends in the name: pages omit the folder that the text is about."""
    return any(f"/{entry}".rstrip("/").endswith(f"/{name}".rstrip("/")) for entry in repository())


def named_paths(page: Page) -> set[str]:
    """Words that look like paths of the repository, in inline code and in arguments of commands."""
    top = {entry.partition("/")[0] for entry in repository() if "/" in entry}
    arguments = (word for command in page.commands for word in command.split())
    words = [*page.inline, *(word for word in arguments if not word.startswith(USER_FILES))]
    found = {word for word in words if re.fullmatch(r"\.?[\w.-]+(/[\w.-]+)*/?", word)}
    return {
        word
        for word in found - OUTPUT_FILES - OTHER_PROGRAMS
        if word.partition("/")[0] in top or word.endswith("/") or word.endswith(SUFFIXES)
    }


@pages
def test_link_targets_exist(page):
    broken = []
    for link in page.links:
        name, _, anchor = link.partition("#")
        target = (page.path.parent / name).resolve() if name else page.path
        if not target.exists() or (anchor and anchor not in Page(target).anchors):
            broken.append(link)
    assert broken == []


@pages
def test_named_files_exist(page):
    outputs = {word for text in page.blocks("") for word in re.findall(r"[\w.-]+/?", text)}
    option = r"--(?:output(?:-dir)?|html) (\S+)"
    outputs |= {name for line in page.commands for name in re.findall(option, line)}
    assert {path for path in named_paths(page) if not exists(path)} - outputs == set()


@pages
def test_make_targets_exist(page):
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = [*page.inline, *page.commands]
    named = {name for text in code for name in re.findall(r"\bmake ([a-z][a-z0-9-]*)", text)}
    assert named - targets == set()


@cache
def chart_values() -> dict:
    """The default values of the chart."""
    return yaml.safe_load((ROOT / "charts/finscribe/values.yaml").read_text())


def is_chart_value(name: str) -> bool:
    """Whether the chart has a value with this dotted path."""
    found: object = chart_values()
    for key in name.split("."):
        if not isinstance(found, dict) or key not in found:
            return False
        found = found[key]
    return True


def is_field(model: type[BaseModel], name: str) -> bool:
    """Whether a spec or status has a field with this dotted path, in camelCase or snake_case."""
    data: object = None
    for key in reversed(name.split(".")):
        data = {key: data}
    return unknown_keys(model, data) == []


def is_document_field(name: str) -> bool:
    """Whether the canonical schema has a field with this dotted path."""
    part: object = Document
    for key in name.split("."):
        fields = getattr(part, "model_fields", {})
        if key not in fields:
            return False
        part = next(iter(_models_of(fields[key].annotation)), None)
    return True


def _models_of(annotation: object) -> list[type[BaseModel]]:
    """The models in an annotation such as `list[LineItem] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_of(inner)]


def dotted_names(page: Page) -> list[str]:
    """Dotted names such as spec.lora.r in inline code."""
    names = [code.lstrip(".") for code in page.inline if re.fullmatch(r"\.?[a-zA-Z]\w*(\.\w+)+", code)]
    return [
        name
        for name in names
        if name not in OUTPUT_FILES | OTHER_PROGRAMS and not f".{name}".endswith((*SUFFIXES, *ROW_SUFFIXES))
    ]


@pages
def test_chart_values_in_helm_commands_exist(page):
    helm = [command for command in page.commands if re.search(r"^helm .* charts/finscribe\b", command)]
    named = [name for command in helm for name in re.findall(r"--set ([\w.]+)=", command)]
    assert [name for name in named if not is_chart_value(name)] == []


@pages
def test_named_fields_and_chart_values_exist(page):
    unknown = []
    for name in dotted_names(page):
        root, _, rest = name.partition(".")
        model: type[BaseModel] = FineTuneJobStatus if root == "status" else FineTuneJobSpec
        known = is_field(model, rest if root in ("spec", "status") else name)
        known = known or is_field(OperatorConfig, name)
        if not (known or is_chart_value(name) or is_document_field(name)):
            unknown.append(name)
    assert unknown == []


@pages
def test_named_environment_variables_exist(page):
    sources = "".join(path.read_text() for path in (ROOT / "finscribe_core").rglob("*.py"))
    named = {name for code in page.inline for name in re.findall(r"\b(?:FINSCRIBE|AWS)_[A-Z_]+", code)}
    assert {name for name in named if name not in sources} == set()


@pages
def test_what_is_installed_with_pip_is_this_checkout(page):
    """FinScribe is in no package index: a name there would be another's."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"].keys()
    installs = [
        code
        for code in (*page.commands, *page.inline)
        if re.match(r"pip install .*finscribe|pip install \S*\.\[", code)
    ]
    for install in installs:
        named = re.fullmatch(r"pip install [\"']\.\[([\w,]+)\][\"']", install)
        assert named, install
        assert set(named[1].split(",")) <= extras
