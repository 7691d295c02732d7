"""What the pages show of a run, wherever it comes from, and the protocol of the places that have runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from finscribe_client.timeline import TimelineEvent


@dataclass(frozen=True)
class RunRow:
    """A run in the list of its place: of a job its current one."""

    key: str
    """Its address: the place, and what the place finds it by."""
    name: str
    state: str
    percent: int | None
    """Steps taken; None where it is not known."""
    loss: str
    """The last training loss; empty where there is none."""
    accuracy: str
    """Field accuracy of the tuned model, as a share; empty where there is none."""
    started: str
    """When (RFC 3339); empty where it is not known."""
    explanation: str = ""
    namespace: str = ""


@dataclass(frozen=True)
class OtherRun:
    """Another run of the same job or folder."""

    key: str
    name: str
    outcome: str
    detail: str
    is_shown: bool


@dataclass(frozen=True)
class Attempt:
    """An attempt of a run: a pod, a process, or a checkpoint of a training folder."""

    name: str
    state: str
    started: str
    detail: str


@dataclass(frozen=True)
class AnswerFiles:
    """Where the answers of base and tuned model are on this machine."""

    base: Path
    tuned: Path
    page_file: Callable[[str, str], Any]
    """The file of a page, by the source of the rows and the page's name in the results."""


@dataclass(frozen=True)
class RunView:
    """Everything that the page of a run shows."""

    key: str
    name: str
    place: str
    """Where it is, in words."""
    state: str
    explanation: str
    is_live: bool
    """Whether it may change by itself."""
    percent: int | None
    facts: Mapping[str, str]
    figures: Mapping[str, str]
    """Numbers that runs are compared by."""
    history: Mapping[str, Any]
    """Losses, as in metrics.json: see `loss_lines`."""
    settings: Mapping[str, str] | None
    """None where they can't be read."""
    before: str | None
    """Key of the run before it."""
    phases: Mapping[str, int] = field(default_factory=dict)
    """Seconds."""
    events: Sequence[TimelineEvent] = ()
    attempts: Sequence[Attempt] = ()
    attempts_title: str = "Attempts"
    others: Sequence[OtherRun] = ()
    answers: Callable[[], AnswerFiles] | None = None
    """Fetches the answers, if the run has been evaluated."""
    actions: Sequence[str] = ()
    """Changes that its state permits."""
    problems: Sequence[str] = ()
    """Parts that could not be read, and why."""
    note: str = ""
    """What is not shown here by design, and where it can be seen."""


class Place(Protocol):
    """A place with runs. Every method raises a FinscribeError that says what to do."""

    @property
    def title(self) -> str:
        """The place, in words."""
        ...

    @property
    def address(self) -> str:
        """The first part of the keys of its runs."""
        ...

    def rows(self) -> Sequence[RunRow]:
        """Its runs, or of jobs the current ones."""
        ...

    def view(self, path: str) -> RunView:
        """A run, by the rest of its key."""
        ...

    def settings(self, path: str) -> Mapping[str, str] | None:
        """The settings of a run by dotted path; None where they can't be read."""
        ...

    def change(self, path: str, action: str) -> None:
        """Change the job of a run."""
        ...
