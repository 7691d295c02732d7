"""`finscribe data generate`, with one worker."""

from pathlib import Path

from benchmarks.data.cases import Work
from finscribe_trainer.cli.generate import generate


def prepare(items: int, folder: Path) -> Work:
    """Prepare the command line."""
    arguments = ["--output-dir", str(folder / "made"), "--count", str(items), "--workers", "1"]

    def work() -> list[float]:
        generate.main(arguments, standalone_mode=False)
        return []

    return work
