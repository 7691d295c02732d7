"""Of two jobs with the same output.uri the younger one is told, and learns no name of another namespace."""

from typing import Any

import pytest

from finscribe_core.api.conditions import ConditionType
from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_operator.events import build_events
from finscribe_operator.objects import JobKey, Object, key_of
from finscribe_operator.observe import Observed, observe
from finscribe_operator.shared_output import OutputIndex
from finscribe_operator.status import build_status
from finscribe_operator.store import Store
from tests.unit.operator.builders import EARLIER, NOW, a_job

URI = "s3://models/invoices"


def job(name: str, uri: Any = URI, namespace: str = "team", created: str = NOW) -> Object:
    made = a_job({"output": {"uri": uri}})
    made["metadata"] |= {"name": name, "namespace": namespace, "uid": f"{namespace}-{name}"}
    made["metadata"]["creationTimestamp"] = created
    return made


@pytest.mark.parametrize(
    ("others", "older"),
    {
        "the same": ([job("old", created=EARLIER)], "old"),
        "a slash at its end": ([job("old", f"{URI}//", created=EARLIER)], "old"),
        "the oldest of several": ([job("older", created=EARLIER), job("a")], "older"),
        "as old, and before it by name": ([job("a")], "a"),
        "as old, and after it by name": ([job("z")], None),
        "younger": ([job("young", created="2026-05-01T13:00:00Z")], None),
        "another": ([job("old", f"{URI}-2", created=EARLIER)], None),
        "of an experiment": ([job("old", f"{URI}/experiments/a", created=EARLIER)], None),
        "not a text": ([job("old", ["s3"], created=EARLIER)], None),
    }.values(),
    ids=lambda value: None,
)
def test_a_job_has_the_same_output_as_an_older_one(others: list[Object], older: str | None):
    index, mine = OutputIndex(), job("invoices")
    for one in (mine, *others):
        index.put(one)
    assert index.find_older(mine) == (JobKey("team", older) if older else None)


def test_a_job_that_is_deleted_or_gets_another_output_is_forgotten():
    index, mine, first, second = OutputIndex(), job("z"), job("a", created=EARLIER), job("b")
    for one in (mine, first, second):
        index.put(one)
    assert index.find_older(mine) == key_of(first)
    index.put(job("a", "s3://models/moved", created=EARLIER))
    assert index.find_older(mine) == key_of(second)
    index.remove(second)
    assert index.find_older(mine) is None
    index.remove(mine)
    index.put(first)
    assert index.find_older(first) is None


@pytest.mark.parametrize(
    ("namespace", "said"), [("team", "the older job secret-plans:"), ("other", "a job in another namespace:")]
)
def test_the_condition_and_one_event_say_it(namespace: str, said: str):
    store, mine = Store(), job("invoices")
    store.put(mine)
    alone = status(store, mine)
    store.put(job("secret-plans", namespace=namespace, created=EARLIER))
    told = status(store, mine)
    (accepted,) = (c for c in told.conditions if c.type == ConditionType.Accepted)
    assert (accepted.status, accepted.reason) == ("True", "Accepted") and said in accepted.message
    assert ("secret-plans" in told.model_dump_json()) is (namespace == "team")
    assert [(e.type, e.reason) for e in build_events(alone, told)] == [("Warning", "OutputShared")]
    assert build_events(told, status(store, {**mine, "status": told.to_kubernetes()})) == []

    store.remove(job("secret-plans", namespace=namespace, created=EARLIER))
    assert status(store, mine) == alone
    assert build_events(told, alone) == []


def status(store: Store, mine: Object) -> FineTuneJobStatus:
    observed = observe(store, key_of(mine))
    assert isinstance(observed, Observed)
    return build_status(observed, NOW)
