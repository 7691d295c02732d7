"""Runs the cluster in kind, where Docker is available."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.kube.images import build_with_docker, docker_is_available, image_name
from tools.kube.kubectl import kubectl
from tools.kube.progress import ToolError, step

NAME = "finscribe"


def kind_is_available() -> bool:
    """True if Docker runs and kind is on the PATH."""
    return shutil.which("kind") is not None and docker_is_available()


@dataclass(frozen=True)
class KindCluster:
    """A cluster whose node is a Docker container, with the same methods as `Cluster`."""

    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """With an administrator's credentials."""
        return self.folder / "kind.kubeconfig"

    @property
    def is_up(self) -> bool:
        """True if the cluster exists."""
        return NAME in _run("kind", "get", "clusters").split()

    @property
    def host_address(self) -> str:
        """This machine's address, as seen from pods: the gateway of kind's network."""
        networks = json.loads(_run("docker", "network", "inspect", "kind"))
        gateways = [str(entry["Gateway"]) for entry in networks[0]["IPAM"]["Config"] if "Gateway" in entry]
        return next(address for address in gateways if ":" not in address)

    def up(self) -> None:
        """Create the cluster if it does not exist.

        Raises:
            ToolError: kind failed.
        """
        if not self.is_up:
            with step("creating a cluster with kind"):
                options = (f"--name={NAME}", f"--kubeconfig={self.kubeconfig}", "--wait=180s")
                _run("kind", "create", "cluster", *options)

    def down(self) -> None:
        """Delete the cluster.

        Raises:
            ToolError: kind failed.
        """
        with step("deleting the kind cluster"):
            _run("kind", "delete", "cluster", f"--name={NAME}", f"--kubeconfig={self.kubeconfig}")

    def restart(self, name: str) -> None:
        """Not supported: kind manages the parts of its node.

        Raises:
            ToolError: Always.
        """
        raise ToolError(f"{name} runs inside kind's node: docker exec {NAME}-control-plane systemctl")

    def status(self) -> dict[str, int | None]:
        """The pid of the node's container; None if it does not run."""
        shown = _run("docker", "ps", f"--filter=name={NAME}-control-plane", "--format={{.ID}}").split()
        pid = int(_run("docker", "inspect", "--format={{.State.Pid}}", shown[0])) if shown else None
        return {f"{NAME}-control-plane": pid}

    def provide_image(self, target: str) -> None:
        """Build an image and load it into the node.

        Raises:
            ToolError: The build or kind failed.
        """
        build_with_docker(target)
        with step(f"loading {image_name(target)} into kind"):
            _run("kind", "load", "docker-image", image_name(target), f"--name={NAME}")

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl as administrator and return what it printed.

        Raises:
            ToolError: It failed; the message is what it printed.
        """
        return kubectl(self.kubeconfig, *arguments, stdin=stdin)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout
