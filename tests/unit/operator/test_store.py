"""The store keeps the latest version of each object, whatever the order of arrival."""

import copy

from finscribe_operator.objects import JobKey, Object
from finscribe_operator.store import Store
from tests.unit.operator.builders import a_batch_job, a_job, a_pod

KEY = JobKey("team", "invoices")


def at_version(obj: Object, version: int) -> Object:
    obj = copy.deepcopy(obj)
    obj["metadata"]["resourceVersion"] = str(version)
    return obj


def test_children_are_found_by_their_job():
    store = Store()
    store.put(a_batch_job("run-1"))
    store.put(a_pod("run-1"))
    assert [j["metadata"]["name"] for j in store.jobs(KEY)] == ["run-1"]
    assert [p["metadata"]["name"] for p in store.pods(KEY)] == ["run-1-0"]
    assert store.jobs(JobKey("other", "invoices")) == []


def test_an_older_version_never_replaces_a_newer_one():
    store = Store()
    assert store.put(at_version(a_job({"suspend": True}), 10))
    assert not store.put(at_version(a_job(), 9))
    job = store.finetunejob(KEY)
    assert job is not None and job["spec"]["suspend"] is True


def test_a_deleted_object_is_never_added_again():
    store = Store()
    store.remove(a_batch_job("run-1"))
    assert not store.put(a_batch_job("run-1"))


def test_a_listing_removes_objects_that_it_does_not_contain():
    store = Store()
    store.put(a_batch_job("run-1"))
    store.replace("Job", [], since=store.begin_listing())
    assert store.jobs(KEY) == []


def test_a_listing_does_not_undo_changes_since_its_begin():
    store = Store()
    store.put(a_batch_job("run-1"))
    since = store.begin_listing()
    store.put(a_batch_job("run-2"))
    store.remove(a_batch_job("run-1"))
    store.replace("Job", [a_batch_job("run-1")], since)
    assert [j["metadata"]["name"] for j in store.jobs(KEY)] == ["run-2"]
