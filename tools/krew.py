"""Builds the archive and the manifest by which krew installs `kubectl finscribe`: `tools/krew.py FOLDER URL`.

The archive holds a script that starts `finscribe`, which pip installs: krew has no packages for Python.
"""

import gzip
import hashlib
import io
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
NAME = "finscribe"
SCRIPT = f"kubectl-{NAME}"
_INSTALL = "In a checkout of FinScribe run: pip install '.[client]'"
_SCRIPT_TEXT = f"""#!/bin/sh
if ! command -v {NAME} >/dev/null; then
    echo "kubectl {NAME}: {NAME} is not installed." >&2
    echo "  -> {_INSTALL}" >&2
    exit 78
fi
exec {NAME} "$@"
"""


def build_archive() -> bytes:
    """A .tar.gz with the script and the licence; the same bytes each time."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content, mode in (
            (SCRIPT, _SCRIPT_TEXT.encode(), 0o755),
            ("LICENSE", (ROOT / "LICENSE").read_bytes(), 0o644),
        ):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def build_manifest(uri: str, archive: bytes) -> dict[str, Any]:
    """The manifest for an archive that is served at a URI."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": {"name": NAME},
        "spec": {
            "version": f"v{project['version']}",
            "homepage": uri.split("/releases/", maxsplit=1)[0],
            "shortDescription": "Fine-tune document models, and follow their runs",
            "description": f"{project['description']}. Submits FineTuneJobs, follows their progress "
            "and logs, and downloads their results.\n",
            "caveats": f"The plugin starts the command {NAME}. {_INSTALL}\n",
            "platforms": [
                {
                    "selector": {
                        "matchExpressions": [{"key": "os", "operator": "In", "values": ["darwin", "linux"]}]
                    },
                    "uri": uri,
                    "sha256": hashlib.sha256(archive).hexdigest(),
                    "bin": SCRIPT,
                }
            ],
        },
    }


def main(folder: Path, url: str) -> None:
    """Write both into a folder; the archive is to be uploaded below the URL."""
    archive = build_archive()
    version = build_manifest(url, archive)["spec"]["version"]
    path = folder / f"{SCRIPT}-{version}.tar.gz"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(archive)
    manifest = folder / f"{NAME}.yaml"  # krew asks for the plugin's name
    made = build_manifest(f"{url.rstrip('/')}/{path.name}", archive)
    manifest.write_text(yaml.safe_dump(made, sort_keys=False), encoding="utf-8")
    print(f"wrote {path} and {manifest}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
