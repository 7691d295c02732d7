"""Runs scripts that mount file systems, without privileges and without effect on the machine."""

import os
import subprocess
import sys


def run_with_mounts(script: str, *arguments: str) -> str:
    """The output of a Python script that may mount file systems; they disappear with it."""
    done = subprocess.run(
        ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]),
         sys.executable, "-c", script, *arguments],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()
