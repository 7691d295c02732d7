"""The store keeps the latest version of each object, whatever the order of arrival."""

import copy

import pytest

from finscribe_operator.cluster import Listing
from finscribe_operator.objects import JobKey, Object
from finscribe_operator.store import HistoryChangedError, Store
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
    store.replace("Job", Listing([]), store.begin_listing("Job"))
    assert store.jobs(KEY) == []


def test_a_listing_does_not_undo_changes_since_its_begin():
    store = Store()
    store.put(a_batch_job("run-1"))
    since = store.begin_listing("Job")
    store.put(a_batch_job("run-2"))
    store.remove(a_batch_job("run-1"))
    store.replace("Job", Listing([a_batch_job("run-1")]), since)
    assert [j["metadata"]["name"] for j in store.jobs(KEY)] == ["run-2"]


def test_an_object_that_gets_its_label_back_is_added_again():
    store = Store()
    store.put(at_version(a_pod("run-1"), 5))
    store.remove(at_version(a_pod("run-1"), 6))
    assert store.put(at_version(a_pod("run-1"), 7))


def test_a_listing_of_one_namespace_removes_nothing_of_another():
    store = Store()
    store.put(a_batch_job("run-1"))
    store.replace("Job", Listing([]), store.begin_listing("Job"), "other")
    assert len(store.jobs(KEY)) == 1


def seen(store: Store) -> None:
    """A state of version 20: a Job was changed at 15, one was deleted at 18, one created at 20."""
    store.put(at_version(a_batch_job("changed"), 15))
    store.put(at_version(a_batch_job("lost"), 20))
    store.put(at_version(a_batch_job("deleted"), 10))
    store.remove(at_version(a_batch_job("deleted"), 18))
    listing = Listing([at_version(a_batch_job("changed"), 15), at_version(a_batch_job("lost"), 20)], 20)
    store.replace("Job", listing, store.begin_listing("Job"))


RESTORED = {
    "a listing older than one before": Listing([], 19),
    "an older version of an object": Listing([at_version(a_batch_job("changed"), 12)], 25),
    "a deleted object": Listing([at_version(a_batch_job("deleted"), 10)], 25),
}


@pytest.mark.parametrize("listing", RESTORED.values(), ids=RESTORED.keys())
def test_a_restored_backup_is_noticed_and_its_versions_are_accepted(listing: Listing):
    store = Store()
    seen(store)
    with pytest.raises(HistoryChangedError):
        store.replace("Job", listing, store.begin_listing("Job"))
    store.forget_versions()
    store.replace("Job", listing, store.begin_listing("Job"))
    assert [job["metadata"]["resourceVersion"] for job in store.jobs(KEY)] == [
        obj["metadata"]["resourceVersion"] for obj in listing.objects
    ]
    later = Listing(listing.objects, listing.version + 1)
    store.replace("Job", later, store.begin_listing("Job"))


NOT_RESTORED = {
    "a change after the listed state": (at_version(a_batch_job("changed"), 30), False),
    "a deletion after the listed state": (at_version(a_batch_job("changed"), 30), True),
}


@pytest.mark.parametrize(("obj", "deleted"), NOT_RESTORED.values(), ids=NOT_RESTORED.keys())
def test_what_happens_during_a_listing_is_no_restored_backup(obj: Object, deleted: bool):
    store = Store()
    seen(store)
    since = store.begin_listing("Job")
    if deleted:
        store.remove(obj)
    else:
        store.put(obj)
    store.replace("Job", Listing([at_version(a_batch_job("changed"), 15)], 25), since)
    assert len(store.jobs(KEY)) == (not deleted)
