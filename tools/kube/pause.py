"""Makes the image of pod sandboxes from a static busybox, so that no registry is needed."""

import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

from tools.kube.node import PAUSE_IMAGE


def write_pause_image(archive: Path) -> None:
    """Write the image to `archive` as a docker-archive, which every container tool can load."""
    busybox = shutil.which("busybox")
    assert busybox is not None, "installed with the packages of the cluster"
    layer = _tar({"bin/busybox": Path(busybox).read_bytes()})
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/bin/busybox", "sleep", "infinity"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [PAUSE_IMAGE], "Layers": ["layer.tar"]}]
    files = {
        "layer.tar": layer,
        "config.json": json.dumps(config).encode(),
        "manifest.json": json.dumps(manifest).encode(),
    }
    archive.write_bytes(_tar(files))


def _tar(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return target.getvalue()
