"""Computes the status of objects with kstatus, the library that Flux and kpt use."""

import json
import subprocess
from typing import Any

from tools.kube.binaries import provide


def kstatus(*objects: dict[str, Any]) -> list[tuple[str, str]]:
    """Status and message of each object."""
    program = provide(["kstatus"])["kstatus"]
    text = "\n".join(json.dumps(obj) for obj in objects)
    done = subprocess.run([str(program)], input=text, capture_output=True, text=True, check=True)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    return [(result["status"], result["message"]) for result in results]
