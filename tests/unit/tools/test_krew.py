"""The archive and the manifest for krew fit each other, follow krew's rules, and start the command."""

import hashlib
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from tools import krew

URL = "https://git.example.org/team/finscribe/releases/download/v1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    krew.main(tmp_path, URL)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    return tmp_path


def test_the_manifest_describes_the_archive_by_the_rules_of_krew(folder: Path):
    (archive,) = folder.glob("*.tar.gz")
    manifest = yaml.safe_load((folder / "finscribe.yaml").read_text())
    (platform,) = manifest["spec"]["platforms"]

    assert platform["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert platform["uri"] == f"{URL}/{archive.name}"
    # `kubectl NAME` is the program kubectl-NAME; the LICENSE is required, versions are those of semver.
    assert platform["bin"] == f"kubectl-{manifest['metadata']['name']}"
    assert {path.name for path in (folder / "unpacked").iterdir()} == {platform["bin"], "LICENSE"}
    assert re.fullmatch(r"v\d+\.\d+\.\d+", manifest["spec"]["version"])
    assert re.fullmatch(r"[\w-]+", manifest["metadata"]["name"])
    # Guidelines: short, without "kubectl", no dot at the end.
    assert re.fullmatch(r"(?!.*kubectl)[A-Z].{1,48}[^.]", manifest["spec"]["shortDescription"])


def test_the_same_archive_is_built_each_time():
    assert krew.build_archive() == krew.build_archive()


PATHS = {
    "installed": (str(Path(sys.executable).parent), 0, "Usage: finscribe list"),
    "not installed": ("", 78, "pip install '.[client]'"),
}


@pytest.mark.parametrize(("path", "code", "printed"), PATHS.values(), ids=PATHS)
def test_the_script_starts_the_command_or_says_how_to_install_it(folder: Path, path, code, printed):
    script = folder / "unpacked/kubectl-finscribe"
    env = {**os.environ, "PATH": f"{path}:/usr/bin:/bin"}
    done = subprocess.run([script, "list", "--help"], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, printed in done.stdout + done.stderr) == (code, True)
