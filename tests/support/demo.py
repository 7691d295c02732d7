"""Runs `finscribe demo` in a folder and reads the metrics that it ends with."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Demo:
    """A demo that has ended with exit code 0."""

    output: str
    """What it has printed."""
    run: Path
    """The downloaded results of its run."""

    @property
    def results(self) -> Path:
        """The download of the job's `output.uri`."""
        return self.run.parent.parent

    def metric(self, model: str, name: str) -> float:
        """A metric, from 0 to 1.

        Args:
            model: `base` or `tuned`; `template` is the tuned model on the unseen template.
            name: such as `field_accuracy`.
        """
        results = json.loads((self.run / f"evaluation/results-{model}.json").read_text())
        return float(results["summary"]["metrics"][name]["value"])


def run_demo(folder: Path, *arguments: str) -> Demo:
    """Run it in a folder that has the results of no other demo."""
    done = subprocess.run(
        [sys.executable, "-m", "finscribe_core.cli", "demo", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    (run,) = (folder / "finscribe-demo/results/invoices/runs").iterdir()
    return Demo(done.stdout, run)
