"""Defines what a dashboard consists of: rows of panels with queries, and variables."""

from dataclasses import dataclass

from grafana_foundation_sdk.models.common import BigValueTextMode

JOBS = 'namespace=~"$namespace"'
"""Label matchers of Fleet: the jobs of the selected namespaces."""
RUNS = 'namespace=~"$namespace", finetunejob=~"$finetunejob", run=~"$run"'
"""Label matchers of Run: the selected runs; every metric of the trainer has these labels."""
LEGEND = "{{finetunejob}} {{run}}"
JOB_LEGEND = "{{namespace}}/{{finetunejob}}"


@dataclass(frozen=True)
class Query:
    """A PromQL expression and the legend of its series."""

    expr: str
    legend: str = LEGEND


@dataclass(frozen=True)
class Panel:
    """One panel: a graph, or a stat panel if `text_mode` is set."""

    title: str
    description: str
    queries: tuple[Query, ...]
    unit: str = "short"
    text_mode: BigValueTextMode | None = None
    """What a stat panel shows: the last value, the name of the series, or both."""
    of_jobs: bool = False
    """Whether each series is about one job, whose runs a click on it shows."""


@dataclass(frozen=True)
class Variable:
    """A variable of a dashboard, whose values are those of a label."""

    name: str
    label: str
    query: str


@dataclass(frozen=True)
class Board:
    """A dashboard; `uid` is its identity in Grafana and the name of its file."""

    uid: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    rows: dict[str, tuple[Panel, ...]]
