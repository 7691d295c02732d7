"""Removes the containers, mounts and folders that a stopped node leaves behind."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

NAMESPACE = "k8s.io"
NETWORK_NAMESPACES = Path("/var/run/netns")


def ctr(socket: Path, *arguments: str) -> list[str]:
    """Run containerd's command line and return the words of its output; none if it failed."""
    command = ["ctr", f"--address={socket}", f"--namespace={NAMESPACE}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.split() if done.returncode == 0 else []


def remove_containers(socket: Path) -> None:
    """Stop and remove all containers of a running containerd; images stay."""
    for task in ctr(socket, "tasks", "ls", "--quiet"):
        ctr(socket, "tasks", "rm", "--force", task)
    for container in ctr(socket, "containers", "ls", "--quiet"):
        ctr(socket, "containers", "rm", container)


def remove_mounts(folder: Path) -> None:
    """Unmount everything below `folder` and remove the network namespaces of pods."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    below = [mount for mount in mounts if mount.startswith(f"{folder}/")]
    pods = [str(path) for path in NETWORK_NAMESPACES.glob("cni-*")]
    for mount in sorted({*below, *pods}, reverse=True):
        subprocess.run(["umount", "--lazy", mount], capture_output=True, check=False)
    for path in pods:
        Path(path).unlink(missing_ok=True)


def remove_folders(folder: Path, names: Iterable[str]) -> None:
    """Remove the named folders below `folder`."""
    for name in names:
        shutil.rmtree(folder / name, ignore_errors=True)
