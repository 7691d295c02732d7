"""Who is compared."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.trainer.settings import Settings


@dataclass(frozen=True)
class Side:
    """One trainer."""

    name: str
    program: str
    """Module below programs/."""
    adapter: Callable[[Settings], str]
    """Where it leaves the adapter, below its output folder."""
    peer: str | None = None
    """Name of its environment; our own when unset."""
    packages: tuple[str, ...] = ()
    """Whose versions are said, of those in peers/."""


OURS = "FinScribe"
PLAIN = "Plain Trainer"
SIDES = [
    Side(OURS, "ours", lambda _: "run/final_model"),
    Side(PLAIN, "plain", lambda _: "adapter"),
    Side("TRL", "with_trl", lambda _: "adapter", "trl", ("trl", "transformers", "peft", "torch")),
    Side(
        "ms-swift",
        "with_swift",
        lambda settings: f"run/checkpoint-{settings.num_steps}",
        "ms-swift",
        ("ms-swift", "transformers", "peft", "torch"),
    ),
]


def adapter_of(side: Side, settings: Settings, folder: Path) -> Path:
    """The adapter that a side has left in its output folder."""
    return folder / side.adapter(settings)
