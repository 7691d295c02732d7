"""Counts what a disturbed run lost, did twice or left behind."""

from dataclasses import dataclass, field, fields


@dataclass
class Counts:
    """How many runs were tried, and what was wrong with how many of them."""

    faults: int = 0
    """Processes that were killed or stopped, requests that failed, full disks."""
    attempts: int = 0
    """Processes or groups of them that were started for the run, one after the other."""
    tried: int = 0
    survived: int = 0
    """Nothing was wrong with them."""
    lost: int = 0
    """They did not end, or not with the adapter of an undisturbed run, byte by byte."""
    doubled: int = 0
    """A step is in the published history twice, or missing."""
    left_behind: int = 0
    """The bucket has other objects than after an undisturbed run, or an unfinished upload."""
    defects: int = 0
    """An attempt ended with an exit code that the Job would not start again, or with a traceback."""
    evidence: list[str] = field(default_factory=list)
    """A line for each of these."""

    def found(self, kind: str, text: str) -> None:
        """Count a problem."""
        setattr(self, kind, getattr(self, kind) + 1)
        self.evidence.append(f"{kind.replace('_', ' ')}: {text}")

    def numbers(self) -> list[int]:
        """All counts, in the order of the fields."""
        return [getattr(self, f.name) for f in fields(self) if f.name != "evidence"]

    def add(self, other: "Counts") -> None:
        """Add the counts of another run."""
        for f in fields(self):
            setattr(self, f.name, getattr(self, f.name) + getattr(other, f.name))
