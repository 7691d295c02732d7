"""Building the images, with Docker or with buildah."""

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
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


def image_name(target: str) -> str:
    """The image's full name; pods may leave `docker.io/` out."""
    return f"docker.io/finscribe/{target}:{version('finscribe')}"


def docker_works() -> bool:
    """True when there is a Docker engine."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0


def build_with_docker(target: str) -> None:
    """Build one image with the Docker engine.

    Raises:
        ToolError: the build failed; its output is above.
    """
    _build(["docker", "build", "--target", target, "--tag", image_name(target), str(ROOT)], target)


@dataclass(frozen=True)
class Buildah:
    """Builds without an engine, in a store of its own."""

    folder: Path

    @classmethod
    def of_this_user(cls) -> "Buildah":
        """With the store in the user's cache, and what it needs installed.

        Raises:
            ToolError: a package is missing and can't be installed.
        """
        require(FOR_IMAGES)
        folder = cache_dir() / "images"
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder)

    @property
    def command(self) -> list[str]:
        """Buildah with its store."""
        store = ["--root", str(self.folder / "store"), "--runroot", str(self.folder / "run")]
        return ["buildah", *store, "--storage-driver", "overlay"]

    def build(self, target: str) -> None:
        """Build one image.

        Raises:
            ToolError: the build failed; its output is above.
        """
        provide_base_image(self.command, self.folder)
        # chroot isolation and the host's network work inside other containers too.
        options = ["--isolation", "chroot", "--network", "host", "--layers", *self._trust()]
        names = ["--target", target, "--tag", image_name(target)]
        _build([*self.command, "bud", *options, *names, str(ROOT)], target)

    def _trust(self) -> list[str]:
        """Mounts that make a build trust the authorities this machine trusts (a company's proxy, for one);
        a mount leaves no trace in the image.
        """
        if not AUTHORITIES.exists():
            return []
        pip, uv = self.folder / "pip.conf", self.folder / "uv.toml"
        pip.write_text(f"[global]\ncert = {AUTHORITIES}\n")
        uv.write_text("system-certs = true\n")
        mounts = {AUTHORITIES: AUTHORITIES, pip: "/etc/pip.conf", uv: "/etc/uv/uv.toml"}
        return [f"--volume={source}:{inside}:ro" for source, inside in mounts.items()]


def _build(command: list[str], target: str) -> None:
    log = cache_dir() / "images" / f"{target}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with step(f"building the {target} image") as still_going, log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                _wait_a_second(process)
                still_going()
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
