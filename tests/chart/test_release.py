"""What `make release` builds from one version number."""

import hashlib
import tarfile
from pathlib import Path

import pytest
import yaml

from tests.chart.conftest import CHART
from tools import release

pytestmark = pytest.mark.chart
VERSION = release.project_version()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release")
    assert release.main(folder) == 0
    return folder


def test_all_files_have_the_version_and_a_checksum(folder):
    names = {path.name for path in folder.iterdir()} - {release.SUMS}
    assert {f"finscribe-{VERSION}.tgz", release.MANIFEST, release.NOTES} < names
    assert f"finscribe-{VERSION}-py3-none-any.whl" in names
    sums = dict(reversed(line.split("  ")) for line in (folder / release.SUMS).read_text().splitlines())
    assert sums == {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def test_the_chart_package_has_the_alerts_and_the_dashboards(folder):
    with tarfile.open(folder / f"finscribe-{VERSION}.tgz") as archive:
        packed = set(archive.getnames())
    dashboards = {f"dashboards/{path.name}" for path in (CHART / "dashboards").iterdir()}
    wanted = {"Chart.yaml", "values.yaml", "README.md", "alerts.yaml", *dashboards}
    assert {f"finscribe/{name}" for name in wanted} <= packed


def test_the_manifest_creates_the_namespace_before_what_is_in_it(folder):
    first, *others = yaml.safe_load_all((folder / release.MANIFEST).read_text())
    assert first["kind"] == "Namespace"
    assert {"CustomResourceDefinition", "Deployment"} <= {found["kind"] for found in others}
    spaces = {found["metadata"]["namespace"] for found in others if "namespace" in found["metadata"]}
    assert spaces == {first["metadata"]["name"]}


def test_another_version_of_the_chart_is_refused(tmp_path, monkeypatch, capsys):
    copy = tmp_path / "finscribe"
    copy.mkdir()
    for name in ("Chart.yaml", "values.yaml"):
        (copy / name).write_text(
            (CHART / name).read_text().replace(f"version: {VERSION}", "version: 9.9.9", 1)
        )
    monkeypatch.setattr(release, "CHART", copy)

    assert release.main(tmp_path / "out") == 1

    assert "version of Chart.yaml is 9.9.9" in capsys.readouterr().err


def test_the_notes_are_the_section_of_the_version():
    text = "# Changelog\n\n## 0.2.0\n\nNew.\n\n## 0.1.0\n\nFirst.\n"
    assert release.notes("0.2.0", text) == "New.\n"
    with pytest.raises(SystemExit, match=r"no section '## 0\.3\.0'"):
        release.notes("0.3.0", text)
