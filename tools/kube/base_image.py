"""Provides the base image python:3.11-slim-bookworm, also where no container registry can be reached."""

import shutil
import subprocess
from pathlib import Path

from tools.kube.progress import ToolError, step

BASE_IMAGE = "docker.io/library/python:3.11-slim-bookworm"
PACKAGES = "ca-certificates,python3,python3-venv,python3-pip,netbase,tzdata"
UNNEEDED_PATHS = (
    *("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"),
    "usr/lib/python3.11/EXTERNALLY-MANAGED",
)
PULL_SECONDS = 60


def provide_base_image(buildah: list[str], scratch: Path) -> None:
    """Ensure that buildah's store holds the base image: pull it, or make it from Debian's packages.

    Raises:
        ToolError: debootstrap failed.
    """
    if subprocess.run([*buildah, "inspect", BASE_IMAGE], capture_output=True, check=False).returncode == 0:
        return
    if not _pull(buildah):
        with step("no registry can be reached: making the base image with debootstrap"):
            _bootstrap(buildah, scratch)


def _pull(buildah: list[str]) -> bool:
    try:
        done = subprocess.run(
            [*buildah, "pull", "--quiet", BASE_IMAGE],
            capture_output=True,
            check=False,
            timeout=PULL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _bootstrap(buildah: list[str], scratch: Path) -> None:
    root = scratch / "python-slim"
    shutil.rmtree(root, ignore_errors=True)
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"`{' '.join(command)}` failed:\n{done.stdout[-2000:]}{done.stderr}")
    for unneeded in (root / name for name in UNNEEDED_PATHS):
        shutil.rmtree(unneeded) if unneeded.is_dir() else unneeded.unlink(missing_ok=True)
    for name, program in (("python", "python3"), ("python3", "python3"), ("pip", "pip3")):
        (root / "usr/local/bin" / name).symlink_to(f"/usr/bin/{program}")
    container = _output([*buildah, "from", "scratch"])
    path = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    for arguments in (
        ["add", "--quiet", container, str(root), "/"],
        ["config", "--env", path, "--env", "LANG=C.UTF-8", "--cmd", "python3", container],
        ["commit", "--quiet", container, BASE_IMAGE],
        ["rm", container],
    ):
        _output([*buildah, *arguments])
    shutil.rmtree(root)


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout.strip()
