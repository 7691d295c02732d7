"""Counts the operator's requests to the API server, by its own metric."""

import asyncio
import urllib.request
from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from tests.apiserver.operator_process import OperatorProcess

_METRIC = "finscribe_operator_api_requests_total"


async def count_requests(operator: OperatorProcess) -> Counter[tuple[str, str]]:
    """Requests by verb and plural name of the kind, those for the Lease left out."""
    return await asyncio.to_thread(_count, operator)


def _count(operator: OperatorProcess) -> Counter[tuple[str, str]]:
    url = f"http://127.0.0.1:{operator.metrics_port}/metrics"
    with urllib.request.urlopen(url, timeout=30) as response:
        text = response.read().decode()
    found: Counter[tuple[str, str]] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = sample.labels
            if sample.name == _METRIC and labels["kind"] != "leases":
                found[labels["verb"], labels["kind"]] += int(sample.value)
    return found


def count_writes(requests: Counter[tuple[str, str]], plural: str = "") -> int:
    """The writes among requests, of one kind or of all."""
    return sum(number for (verb, kind), number in requests.items() if verb != "GET" and plural in ("", kind))
