"""Getting the programs: given by the user, kept from an earlier build, or built now."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.kube.cache import cache_dir
from tools.kube.catalogue import TOOLS, Tool
from tools.kube.golang import build, find_go
from tools.kube.progress import say

ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"
"""Folder with kube-apiserver, etcd and kubectl, as controller projects commonly have it."""


def provide(names: Iterable[str]) -> dict[str, Path]:
    """Paths of the named programs; what is missing is built, which takes minutes once.

    Raises:
        ToolError: a build failed.
    """
    return {name: _provide(TOOLS[name]) for name in names}


def _provide(tool: Tool) -> Path:
    given = Path(os.environ[ASSETS_VARIABLE]) / tool.name if os.environ.get(ASSETS_VARIABLE) else None
    if given and given.exists():
        return given
    kept = cache_dir() / "bin" / _key(tool) / tool.name
    if not kept.exists():
        with _lock(cache_dir() / "bin" / f"{_key(tool)}.lock", tool.name):
            if not kept.exists():
                _build_into(tool, kept)
    return kept


def _key(tool: Tool) -> str:
    recipe = hashlib.sha256(f"{tool.package} {tool.ldflags}".encode()).hexdigest()[:8]
    return f"{tool.name}-{tool.version}-{recipe}"


def _build_into(tool: Tool, target: Path) -> None:
    """Build in a folder beside, then rename: a program that exists is complete."""
    scratch = Path(tempfile.mkdtemp(prefix=f"{tool.name}-", dir=target.parent.parent))
    try:
        program = build(tool, find_go(), scratch)
        target.parent.mkdir(exist_ok=True)
        program.replace(target)
    finally:
        shutil.rmtree(scratch)


@contextmanager
def _lock(path: Path, name: str) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"  waiting for another process that builds {name}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
