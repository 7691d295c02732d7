"""Finds the Kubernetes programs on this machine, and builds those that are missing."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from finscribe_core.file_lock import LockHeldError, lock_file
from tools.kube.cache import cache_dir
from tools.kube.catalogue import TOOLS, Tool
from tools.kube.golang import build, find_go
from tools.kube.progress import say

ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"
"""Names a folder with kube-apiserver, etcd and kubectl; controller-runtime's envtest reads it, too."""
VERSION_SECONDS = 20.0


@dataclass(frozen=True)
class Program:
    """A program that is ready to run."""

    path: Path
    source: str
    """`KUBEBUILDER_ASSETS`, `PATH`, `cache` or `built`."""


def provide(names: Iterable[str]) -> dict[str, Path]:
    """Paths of the named programs, as `locate` finds or builds them.

    Raises:
        ToolError: A build failed.
    """
    return {name: locate(name).path for name in names}


def locate(name: str) -> Program:
    """Find a program in KUBEBUILDER_ASSETS, on the PATH or in the cache; build it if it is in none of them.

    Programs in KUBEBUILDER_ASSETS and on the PATH must have the needed major and minor version; others are
    skipped with a message. A program whose source is in this repository is in the cache only.

    Raises:
        ToolError: The build failed.
    """
    tool = TOOLS[name]
    if tool.source is not None:
        return _cached_or_built(tool)
    assets = os.environ.get(ASSETS_VARIABLE)
    folders = {ASSETS_VARIABLE: assets, "PATH": os.environ.get("PATH")}
    for source, folder in folders.items():
        path = shutil.which(name, path=folder) if folder else None
        if path and _is_suitable(tool, path):
            return Program(Path(path), source)
    return _cached_or_built(tool)


@cache
def _is_suitable(tool: Tool, path: str) -> bool:
    """Check the version of a program; prints the reason once when it does not fit."""
    try:
        done = subprocess.run(
            [path, *tool.version_arguments],
            capture_output=True,
            text=True,
            timeout=VERSION_SECONDS,
            check=False,
        )
        shown = re.search(r"\d+\.\d+(\.\d+)?", done.stdout)
        found = f"its version is {shown[0]}" if shown else "it shows no version"
    except (OSError, subprocess.TimeoutExpired) as error:
        shown, found = None, f"it can't be run ({error})"
    if shown and f"{shown[0]}.".startswith(f"{tool.minor_version}."):
        return True
    say(f"  skipping {path}: {found}, needed is {tool.minor_version}")
    return False


def _cached_or_built(tool: Tool) -> Program:
    kept = cache_dir() / "bin" / _key(tool) / tool.name
    if not kept.exists():
        with _lock(cache_dir() / "bin" / f"{_key(tool)}.lock", tool.name):
            if not kept.exists():
                _build_into(tool, kept)
                return Program(kept, "built")
    return Program(kept, "cache")


def _key(tool: Tool) -> str:
    source = tool.source.read_text() if tool.source else ""
    recipe = hashlib.sha256(f"{tool.package} {tool.ldflags}{source}".encode()).hexdigest()[:8]
    return f"{tool.name}-{tool.version}-{recipe}"


def _build_into(tool: Tool, target: Path) -> None:
    """Build in a temporary folder, then rename, so that a program that exists is complete."""
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
    try:
        lock = lock_file(path)
    except LockHeldError as held:
        say(f"  waiting for process {held.holder}, which builds {name}")
        lock = lock_file(path, wait=True)
    with lock:
        yield
