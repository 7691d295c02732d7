"""`make sbom` lists what the images install."""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SKIP_SETUP = "--old-file=.venv/.finscribe-setup"
"""The installation that runs this test counts as up to date."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(["make", "sbom", SKIP_SETUP, f"DIST={folder}"], cwd=ROOT, check=True)
    return folder


@pytest.mark.parametrize(
    ("image", "among", "not_among"),
    [
        ("operator", {"kopf", "pydantic"}, {"torch", "pytest"}),
        ("trainer", {"torch"}, {"kopf", "pytest"}),
        ("ui", {"starlette", "kubernetes"}, {"torch", "kopf", "pytest"}),
    ],
)
def test_sbom_and_licences_name_the_packages_of_the_image_and_no_others(
    written: Path, image: str, among: set[str], not_among: set[str]
):
    sbom = json.loads((written / f"sbom-{image}.json").read_text())
    lines = (written / f"licences-{image}.md").read_text().splitlines()[2:]
    licences = {row[0].lower(): row[2] for line in lines if (row := re.split(r"\s*\|\s*", line.strip("| ")))}

    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.5")
    packages = {c["name"]: c for c in sbom["components"]}
    for name in among:
        assert packages[name]["purl"] == f"pkg:pypi/{name}@{packages[name]['version']}"
        assert licences[name]
    assert not not_among & (packages.keys() | licences.keys())
