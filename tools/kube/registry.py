"""Runs a container registry on loopback, so that only the changed layers of an image are transferred."""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tools.kube.cleanup import NAMESPACE
from tools.kube.control_plane import is_healthy
from tools.kube.packages import unpack
from tools.kube.process import Part
from tools.kube.progress import ToolError, step

ADDRESS = "127.0.0.1:5000"
REGISTRY = "registry"
DOCKER_HUB = "docker.io/"


@dataclass(frozen=True)
class Registry:
    """Debian's docker-registry, storing to a folder."""

    folder: Path

    def part(self) -> Part:
        """Write the configuration; returns the registry as a part of the cluster."""
        program = unpack("docker-registry", "usr/bin/docker-registry", self.folder)
        config = {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "layers")}},
            "http": {"addr": ADDRESS},
        }
        path = self.folder / "registry.yaml"
        path.write_text(yaml.safe_dump(config))
        return Part(REGISTRY, [str(program), "serve", str(path)], is_healthy(f"http://{ADDRESS}/v2/"))

    def load(self, buildah: Sequence[str], name: str, socket: Path) -> None:
        """Copy an image from buildah's store to containerd, under the same name.

        Raises:
            ToolError: There is no such image, or a layer could not be transferred.
        """
        here = name.replace(DOCKER_HUB, f"{ADDRESS}/", 1)
        images = ["ctr", f"--address={socket}", f"--namespace={NAMESPACE}", "images"]
        with step(f"loading {name} into the cluster") as heartbeat:
            for command in (
                [*buildah, "push", "--quiet", "--tls-verify=false", name, f"docker://{here}"],
                [*images, "pull", "--plain-http", here],
                [*images, "tag", "--force", here, name],
                [*images, "remove", here],
            ):
                _run(command, heartbeat)


def _run(command: Sequence[str], heartbeat: Callable[[], None]) -> None:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while True:
        try:
            _, errors = process.communicate(timeout=1)
            break
        except subprocess.TimeoutExpired:
            heartbeat()
    if process.returncode:
        raise ToolError(f"`{' '.join(command)}` failed: {errors.strip()}")
