"""A user's shell with kubectl, helm and finscribe, and a kubeconfig of the cluster."""

import os
import subprocess
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.support.served import served
from tools.kube.binaries import provide
from tools.kube.cluster import Cluster

SECONDS = 900
"""Longest time of all commands of a page, on two busy cores."""


@dataclass(frozen=True)
class Shell:
    """Runs commands in a folder, with a namespace of the cluster as the current one."""

    folder: Path
    environment: dict[str, str]

    def run(self, script: str) -> str:
        """What the commands print; the test fails with it if they do."""
        done = self.try_to_run(script)
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def try_to_run(self, script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euxo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )

    def serving(self, line: str) -> AbstractContextManager[str]:
        """The address that a command prints, which serves until the end of the block."""
        return served(line, self.folder, self.environment)


def open_shell(cluster: Cluster, folder: Path, namespace: str) -> Shell:
    """A shell in an existing folder, for a namespace that need not exist."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = namespace
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config))
    programs = [Path(sys.executable).parent, *(provide([name])[name].parent for name in ("kubectl", "helm"))]
    path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
    return Shell(folder, os.environ | {"KUBECONFIG": str(kubeconfig), "PATH": path})
