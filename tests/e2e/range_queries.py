"""Reads what the queries of a dashboard find in a Prometheus, from one time to another."""

import json
import urllib.parse
import urllib.request
from dataclasses import dataclass

VARIABLES = {
    **dict.fromkeys(("$namespace", "$finetunejob", "$run"), ".*"),
    "$__rate_interval": "30s",
    "$__range": "30m",
}
STEP_SECONDS = 2


@dataclass(frozen=True)
class Series:
    labels: dict[str, str]
    points: list[tuple[float, float]]
    """Unix time and value; values that are no numbers (0 / 0) are left out."""


@dataclass(frozen=True)
class Range:
    """A time (Unix, in seconds) of a Prometheus."""

    url: str
    began: float
    ended: float

    def read(self, query: str) -> list[Series]:
        """The series that a query finds, with at least one number."""
        asked = {"query": with_variables(query), "start": self.began, "end": self.ended, "step": STEP_SECONDS}
        url = f"{self.url}/api/v1/query_range?{urllib.parse.urlencode(asked)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            found = json.loads(answer.read())["data"]["result"]
        series = [Series(one["metric"], _numbers(one["values"])) for one in found]
        return [one for one in series if one.points]


def with_variables(query: str) -> str:
    """The query with values in place of Grafana's variables: all jobs, half an hour."""
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    return query


def _numbers(values: list[tuple[float, str]]) -> list[tuple[float, float]]:
    return [(at, float(value)) for at, value in values if value not in ("NaN", "+Inf", "-Inf")]
