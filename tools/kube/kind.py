"""The same cluster made by kind, where Docker works."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.kube.images import build_with_docker, docker_works, image_name
from tools.kube.kubectl import kubectl
from tools.kube.progress import ToolError, step

NAME = "finscribe"


def kind_is_usable() -> bool:
    """True when Docker works and kind is on the PATH."""
    return shutil.which("kind") is not None and docker_works()


@dataclass(frozen=True)
class KindCluster:
    """A cluster whose node is a Docker container; it offers what `Cluster` does."""

    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """Of an administrator."""
        return self.folder / "kind.kubeconfig"

    @property
    def is_up(self) -> bool:
        """True when there is such a cluster."""
        return NAME in _run("kind", "get", "clusters").split()

    @property
    def host_address(self) -> str:
        """This machine's address as pods see it: the gateway of kind's network."""
        networks = json.loads(_run("docker", "network", "inspect", "kind"))
        gateways = [str(entry["Gateway"]) for entry in networks[0]["IPAM"]["Config"] if "Gateway" in entry]
        return next(address for address in gateways if ":" not in address)

    def up(self) -> None:
        """Make the cluster, unless there is one.

        Raises:
            ToolError: kind failed.
        """
        if not self.is_up:
            with step("making a cluster with kind"):
                options = (f"--name={NAME}", f"--kubeconfig={self.kubeconfig}", "--wait=180s")
                _run("kind", "create", "cluster", *options)

    def down(self) -> None:
        """Remove the cluster.

        Raises:
            ToolError: kind failed.
        """
        with step("removing the kind cluster"):
            _run("kind", "delete", "cluster", f"--name={NAME}", f"--kubeconfig={self.kubeconfig}")

    def restart(self, name: str) -> None:
        """Not for kind: its parts are kind's.

        Raises:
            ToolError: always.
        """
        raise ToolError(f"{name} runs inside kind's node: docker exec {NAME}-control-plane systemctl")

    def status(self) -> dict[str, int | None]:
        """The pid of the node's container; None when it does not run."""
        shown = _run("docker", "ps", f"--filter=name={NAME}-control-plane", "--format={{.ID}}").split()
        pid = int(_run("docker", "inspect", "--format={{.State.Pid}}", shown[0])) if shown else None
        return {f"{NAME}-control-plane": pid}

    def provide_image(self, target: str) -> None:
        """Build an image and load it into the node.

        Raises:
            ToolError: the build or kind failed.
        """
        build_with_docker(target)
        with step(f"loading {image_name(target)} into kind"):
            _run("kind", "load", "docker-image", image_name(target), f"--name={NAME}")

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl as administrator and return what it printed.

        Raises:
            ToolError: it failed; the text is its error message.
        """
        return kubectl(self.kubeconfig, *arguments, stdin=stdin)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout
