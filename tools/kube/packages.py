"""Installs the Debian packages that cluster, images and tests need, or names them if not root."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tools.kube.progress import ToolError, say, step

PACKAGE_OF = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "nft": "nftables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "busybox": "busybox-static",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "prometheus": "prometheus",
    "chromium": "chromium",
}
"""Package of each program, by its name on the PATH or its absolute path."""
FOR_IMAGES = ("buildah", "debootstrap")
FOR_CLUSTER = (
    *("containerd", "runc", "/usr/lib/cni/bridge", "iptables", "nft", "conntrack", "ip", "busybox"),
)


def is_root() -> bool:
    """True if this process runs as root."""
    return os.geteuid() == 0


def require(programs: Iterable[str]) -> None:
    """Install the packages of missing programs.

    Raises:
        ToolError: Packages are missing and can't be installed; the message shows the command that does.
    """
    missing = [PACKAGE_OF[program] for program in programs if shutil.which(program) is None]
    if not missing:
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    if shutil.which("apt-get") is None or not is_root():
        raise ToolError(f"These packages are missing. Run: sudo {' '.join(command)}")
    say(f"Missing Debian packages: {' '.join(missing)}. Running: {' '.join(command)}")
    with step("installing packages"):
        if not _apt_get(command):
            # A new machine may have no package lists yet.
            _apt_get(["apt-get", "update"])
            if not _apt_get(command):
                raise ToolError(f"`{' '.join(command)}` failed; its messages are above.")


def _apt_get(command: list[str]) -> bool:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        say(done.stdout[-2000:] + done.stderr[-2000:])
    return done.returncode == 0


def unpack(package: str, program: str, folder: Path) -> Path:
    """Path of a program of a package that is unpacked below `folder`; installing would start its service.

    Raises:
        subprocess.CalledProcessError: The package can't be downloaded.
    """
    path = folder / program
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    download = ["apt-get", "download", package]
    with step(f"downloading Debian's {package}"):
        if subprocess.run(download, cwd=folder, capture_output=True, check=False).returncode:
            _apt_get(["apt-get", "update"])
            subprocess.run(download, cwd=folder, check=True)
        for archive in folder.glob(f"{package}_*.deb"):
            subprocess.run(["dpkg-deb", "--extract", str(archive), str(folder)], check=True)
            archive.unlink()
    return path
