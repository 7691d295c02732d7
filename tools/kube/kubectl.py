"""Runs kubectl."""

import subprocess
from pathlib import Path

from tools.kube.binaries import provide
from tools.kube.progress import ToolError


def try_kubectl(kubeconfig: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run kubectl; the caller checks the exit code."""
    program = provide(["kubectl"])["kubectl"]
    command = [str(program), f"--kubeconfig={kubeconfig}", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def kubectl(kubeconfig: Path, *arguments: str, stdin: str = "") -> str:
    """Run kubectl and return what it printed.

    Raises:
        ToolError: It failed; the message is what it printed.
    """
    done = try_kubectl(kubeconfig, *arguments, stdin=stdin)
    if done.returncode:
        raise ToolError(f"kubectl {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
