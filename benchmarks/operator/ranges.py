"""Compares figures with the ranges that they have to be in (`ranges.yaml`)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml
from pydantic import ConfigDict, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass as checked_dataclass

FILE = Path(__file__).with_name("ranges.yaml")
NOT_MEASURED = "not measured"


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Range:
    """A bound of one figure of one scenario."""

    scenario: str
    figure: str
    why: str
    at_most: float | None = None
    at_least: float | None = None

    @model_validator(mode="after")
    def _has_one_bound(self) -> Self:
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError(f"{self.scenario} {self.figure}: set either at_most or at_least")
        return self

    @property
    def text(self) -> str:
        """The bound in words."""
        return f"at most {self.at_most:g}" if self.at_most is not None else f"at least {self.at_least:g}"

    def holds(self, value: float) -> bool:
        """Whether a value is in the range."""
        if self.at_most is not None:
            return value <= self.at_most
        assert self.at_least is not None
        return value >= self.at_least


@dataclass(frozen=True)
class Measured:
    """What was measured in a scenario, for the ranges."""

    jobs: int
    planned_jobs: int
    value_of: Callable[[str], float | None]
    """The value of a figure; None if it was not measured."""


@dataclass(frozen=True)
class Verdict:
    """A range and what was measured."""

    range: Range
    value: float | None
    note: str
    """Why there is no verdict; empty when there is one."""

    @property
    def is_outside(self) -> bool:
        """Whether the value is known, and out of the range."""
        return not self.note and self.value is not None and not self.range.holds(self.value)

    @property
    def text(self) -> str:
        """The verdict in a word, or why there is none."""
        return self.note or ("OUTSIDE" if self.is_outside else "yes")


def read_ranges(file: Path = FILE) -> list[Range]:
    """The ranges.

    Raises:
        pydantic.ValidationError: an entry has an unknown key, or not exactly one bound.
    """
    return TypeAdapter(list[Range]).validate_python(yaml.safe_load(file.read_text(encoding="utf-8")))


def judge(ranges: Sequence[Range], measured: dict[str, Measured]) -> Iterator[Verdict]:
    """A verdict for each range, by the scenarios that were measured."""
    for each in ranges:
        found = measured.get(each.scenario)
        value = found.value_of(each.figure) if found else None
        if found is None or value is None:
            yield Verdict(each, None, NOT_MEASURED)
        elif found.jobs < found.planned_jobs:
            yield Verdict(each, value, f"not judged: {found.jobs} jobs instead of {found.planned_jobs}")
        else:
            yield Verdict(each, value, "")
