"""Lists the training programs that are compared."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.trainer.settings import Settings


@dataclass(frozen=True)
class Candidate:
    """One training program."""

    name: str
    program: str
    """Module in programs/."""
    adapter: Callable[[Settings], str]
    """Returns the path of the trained adapter, relative to the output folder."""
    peer: str | None = None
    """Name of its environment; this project's environment if unset."""
    packages: tuple[str, ...] = ()
    """Packages of its environment whose versions are reported."""


OURS = "FinScribe"
PLAIN = "Plain Trainer"
CANDIDATES = [
    Candidate(OURS, "ours", lambda _: "run/final_model"),
    Candidate(PLAIN, "plain", lambda _: "adapter"),
    Candidate("TRL", "with_trl", lambda _: "adapter", "trl", ("trl", "transformers", "peft", "torch")),
    Candidate(
        "ms-swift",
        "with_swift",
        lambda settings: f"run/checkpoint-{settings.num_steps}",
        "ms-swift",
        ("ms-swift", "transformers", "peft", "torch"),
    ),
]


def adapter_of(candidate: Candidate, settings: Settings, folder: Path) -> Path:
    """Path of the adapter that a training program wrote to its output folder."""
    return folder / candidate.adapter(settings)
