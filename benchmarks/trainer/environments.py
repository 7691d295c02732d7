"""Installs an environment for each peer below the user's cache, with the exact versions in peers/."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PEERS = Path(__file__).parent / "peers"
_STAMP = "installed"


def cache_folder() -> Path:
    """Folder of environments and temporary inputs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "finscribe" / "bench"


def python_of(peer: str) -> Path:
    """The Python of a peer's environment, which is installed if it is missing or its versions changed."""
    requirements = _PEERS / f"{peer}.txt"
    folder = cache_folder() / peer
    python, stamp = folder / "bin" / "python", folder / _STAMP
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == digest:
        return python
    print(f"installing {peer} into {folder}", file=sys.stderr)
    _uv("venv", "--clear", "--python", sys.executable, str(folder))
    _uv("pip", "sync", "--compile-bytecode", "--python", str(python), str(requirements))
    stamp.write_text(digest, encoding="utf-8")
    return python


def pinned_versions(peer: str) -> dict[str, str]:
    """Version of each package in a peer's environment."""
    lines = (_PEERS / f"{peer}.txt").read_text(encoding="utf-8").splitlines()
    pins = (line.split(";")[0].strip().partition("==") for line in lines)
    return {name: number for name, _, number in pins}


def _uv(*arguments: str) -> None:
    uv = shutil.which("uv") or str(ROOT / ".venv-bootstrap" / "bin" / "uv")  # as in the Makefile
    done = subprocess.run([uv, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"uv {' '.join(arguments)} ended with exit code {done.returncode}:\n{done.stderr}")
