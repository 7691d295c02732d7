"""Loading an image into containerd by its layers: what containerd holds already is not moved again."""

import io
import json
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.kube.leftovers import NAMESPACE, ctr
from tools.kube.progress import ToolError, step

NAME_ANNOTATION = "io.containerd.image.name"


@dataclass(frozen=True)
class Layout:
    """A folder of images in OCI layout, to which buildah adds only the layers it lacks."""

    folder: Path

    def add(self, buildah: Sequence[str], name: str, tag: str) -> None:
        """Copy an image out of buildah's store.

        Raises:
            ToolError: there is no such image.
        """
        # Uncompressed, for nothing here crosses a network.
        command = [*buildah, "push", "--quiet", "--disable-compression", name, f"oci:{self.folder}:{tag}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ToolError(f"{name} can't be exported: {done.stderr.strip()}")

    def load(self, name: str, tag: str, socket: Path) -> None:
        """Give containerd the image `tag` under its full `name`.

        Raises:
            ToolError: the import failed.
        """
        index = json.loads((self.folder / "index.json").read_text())
        wanted = next(m for m in index["manifests"] if tag in m.get("annotations", {}).values())
        wanted = wanted | {"annotations": {NAME_ANNOTATION: name}}
        manifest = json.loads(self._blob(wanted).read_text())
        known = set(ctr(socket, "content", "ls", "--quiet"))
        missing = [layer for layer in manifest["layers"] if layer["digest"] not in known]
        command = ["ctr", f"--address={socket}", f"--namespace={NAMESPACE}", "images", "import", "-"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            assert process.stdin is not None
            with tarfile.open(fileobj=process.stdin, mode="w|") as tar:
                _add_bytes(tar, "oci-layout", {"imageLayoutVersion": "1.0.0"})
                _add_bytes(tar, "index.json", index | {"manifests": [wanted]})
                for part in (wanted, manifest["config"], *missing):
                    path = self._blob(part)
                    tar.add(path, arcname=str(path.relative_to(self.folder)))
        if process.returncode:
            raise ToolError(f"containerd could not import {name}")

    def _blob(self, descriptor: dict[str, Any]) -> Path:
        digest: str = descriptor["digest"]
        return self.folder / "blobs" / digest.replace(":", "/")


def _add_bytes(tar: tarfile.TarFile, name: str, content: dict[str, Any]) -> None:
    data = json.dumps(content).encode()
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def load_image(buildah: Sequence[str], layout: Path, name: str, socket: Path) -> None:
    """Bring an image from buildah's store into containerd.

    Raises:
        ToolError: there is no such image, or the import failed.
    """
    tag = name.rsplit("/", 1)[-1].split(":", maxsplit=1)[0]
    with step(f"loading {name} into the cluster"):
        images = Layout(layout)
        images.add(buildah, name, tag)
        images.load(name, tag, socket)
