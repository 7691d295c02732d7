"""Loading an image into containerd: streamed through a pipe, for it may be six gigabytes."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.kube.leftovers import NAMESPACE, ctr
from tools.kube.progress import ToolError, step


def load_image(buildah: Sequence[str], name: str, socket: Path, marker: Path) -> None:
    """Bring an image from buildah's store into containerd, unless it is the one that was loaded last.

    Args:
        buildah: buildah's command with its store.
        name: The image's full name.
        socket: Where containerd listens.
        marker: File that remembers which image was loaded last.

    Raises:
        ToolError: there is no such image, or the import failed.
    """
    identity = _identity(buildah, name)
    is_known = marker.exists() and marker.read_text() == identity
    if is_known and name in ctr(socket, "images", "ls", "--quiet"):
        return
    with step(f"loading {name} into the cluster") as still_going, tempfile.TemporaryDirectory() as scratch:
        pipe = Path(scratch) / "image.tar"
        os.mkfifo(pipe)
        push = subprocess.Popen([*buildah, "push", "--quiet", name, f"docker-archive:{pipe}:{name}"])
        command = ["ctr", f"--address={socket}", f"--namespace={NAMESPACE}", "images", "import", str(pipe)]
        load = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while _runs(load):
                still_going()
        finally:
            push.kill()
            load.kill()
        if load.returncode:
            raise ToolError(f"containerd could not import {name}")
    marker.write_text(identity)


def _identity(buildah: Sequence[str], name: str) -> str:
    command = [*buildah, "inspect", "--type=image", "--format={{.FromImageID}}", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"{name} is not built: {done.stderr.strip()}")
    return done.stdout.strip()


def _runs(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        return True
    return False
