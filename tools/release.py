"""Builds what a release consists of: `python -m tools.release FOLDER`."""

import hashlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

from tools.kube.binaries import provide

ROOT = Path(__file__).parents[1]
CHART = ROOT / "charts" / "finscribe"
CHANGELOG = ROOT / "CHANGELOG.md"
DEPLOY = ROOT / "deploy"
NOTES, MANIFEST, SUMS = "notes.md", "finscribe.yaml", "SHA256SUMS"


def main(folder: Path) -> int:
    """Write chart package, manifest, wheel, notes and their checksums; returns the exit code.

    The folder's SBOMs, which `make release` has written before, get checksums, too.
    """
    version = project_version()
    if problem := _inconsistency(version):
        print(problem, file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    helm = str(provide(["helm"])["helm"])
    _run(helm, "package", str(CHART), "--destination", str(folder))
    (folder / MANIFEST).write_text(plain_manifest(), encoding="utf-8")
    _run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder))
    (folder / NOTES).write_text(notes(version, CHANGELOG.read_text(encoding="utf-8")), encoding="utf-8")
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != SUMS)
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (folder / SUMS).write_text("".join(sums), encoding="utf-8")
    for path in files:
        print(path)
    return 0


def plain_manifest() -> str:
    """The objects of deploy/, which are those of the chart with default values, in one text."""
    base = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text(encoding="utf-8"))
    named = [DEPLOY / resource for resource in base["resources"]]
    files = [path for place in named for path in (sorted(place.glob("*_*.yaml")) or [place])]
    return "---\n".join(path.read_text(encoding="utf-8").removeprefix("---\n") for path in files)


def project_version() -> str:
    """The version, which is written in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def notes(version: str, changelog: str) -> str:
    """The section of a version.

    Raises:
        SystemExit: there is none.
    """
    found = re.search(
        rf"^## {re.escape(version)}\b.*?\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    if not found or not found[1].strip():
        sys.exit(f"CHANGELOG.md has no section '## {version}'. Write what has changed for users.")
    return found[1].strip() + "\n"


def _inconsistency(version: str) -> str:
    """What has another version; empty if nothing has."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    image = values["operator"]["config"]["trainerImage"]
    others = {
        "version of Chart.yaml": chart["version"],
        "appVersion of Chart.yaml": chart["appVersion"],
        "operator.config.trainerImage of values.yaml": image.rpartition(":")[2],
    }
    wrong = [f"{name} is {found}" for name, found in others.items() if found != version]
    return f"The version in pyproject.toml is {version}, but {', '.join(wrong)}." if wrong else ""


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
