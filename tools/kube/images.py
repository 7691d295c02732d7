"""Builds the container images with Docker or with buildah."""

import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tools.kube.base_image import provide_base_image
from tools.kube.cache import cache_dir
from tools.kube.packages import FOR_IMAGES, require
from tools.kube.progress import ToolError, step

ROOT = Path(__file__).parents[2]
TARGETS = ("operator", "trainer")
"""What a cluster needs."""
UI = "ui"
"""The web view, which a cluster can have, too."""
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


def image_name(target: str) -> str:
    """The full name of an image; pods may omit `docker.io/`."""
    return f"docker.io/finscribe/{target}:{version('finscribe')}"


def docker_is_available() -> bool:
    """True if a Docker engine runs."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0


def build_with_docker(target: str) -> None:
    """Build one image with the Docker engine.

    Raises:
        ToolError: The build failed; the message ends with its last lines.
    """
    _build(["docker", "build", "--target", target, "--tag", image_name(target), str(ROOT)], target)


@dataclass(frozen=True)
class Buildah:
    """Builds images without a container engine, in an image store of its own."""

    folder: Path

    @classmethod
    def in_user_cache(cls) -> "Buildah":
        """With its store in the user's cache; installs buildah if it is missing.

        Raises:
            ToolError: A package is missing and can't be installed.
        """
        require(FOR_IMAGES)
        folder = cache_dir() / "images"
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder)

    @property
    def command(self) -> list[str]:
        """The buildah command with the options of its store."""
        store = ["--root", str(self.folder / "store"), "--runroot", str(self.folder / "run")]
        return ["buildah", *store, "--storage-driver", "overlay"]

    def build(self, target: str) -> None:
        """Build one image.

        Raises:
            ToolError: The build failed; the message ends with its last lines.
        """
        provide_base_image(self.command, self.folder)
        # chroot isolation and the host's network also work inside another container.
        options = ["--isolation", "chroot", "--network", "host", "--layers", *self._ca_mounts()]
        names = ["--target", target, "--tag", image_name(target)]
        _build([*self.command, "bud", *options, *names, str(ROOT)], target)

    def _ca_mounts(self) -> list[str]:
        """Mounts that make a build trust the CAs of this machine, such as that of a company's proxy.

        Mounts are not stored in the image.
        """
        if not CA_BUNDLE.exists():
            return []
        pip, uv = self.folder / "pip.conf", self.folder / "uv.toml"
        pip.write_text(f"[global]\ncert = {CA_BUNDLE}\n")
        uv.write_text("system-certs = true\n")
        mounts = {CA_BUNDLE: CA_BUNDLE, pip: "/etc/pip.conf", uv: "/etc/uv/uv.toml"}
        return [f"--volume={source}:{inside}:ro" for source, inside in mounts.items()]


def _build(command: list[str], target: str) -> None:
    log = cache_dir() / "images" / f"{target}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with step(f"building the {target} image") as heartbeat, log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                _wait_a_second(process)
                heartbeat()
        finally:
            process.kill()
        if process.returncode:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
            raise ToolError(f"`{' '.join(command)}` failed:\n{tail}")


def _wait_a_second(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        return
