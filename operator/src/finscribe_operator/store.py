"""Caches the fields in use of FineTuneJobs and their Jobs and Pods in memory, indexed by FineTuneJob.

Filled by watch events, by listings, and by the responses to the operator's own writes (read-your-writes);
read by `observe`. Lookups are O(1) in the number of jobs and O(n) in the children of one. Not thread-safe:
all calls come from one event loop.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

from finscribe_core.constants import KIND
from finscribe_core.report import ProgressReport
from finscribe_operator.cluster import Listing
from finscribe_operator.intake import REFUSED, take_in
from finscribe_operator.objects import (
    JobKey,
    Object,
    controller_uid,
    key_of,
    keys_of,
    namespace_of,
    parent_key,
)
from finscribe_operator.restarts import restarts_of
from finscribe_operator.shared_output import OutputIndex
from finscribe_operator.warning_events import WarningEvent
from finscribe_operator.workloads import Workload

_MAX_TOMBSTONES = 4096
_Answer = TypeVar("_Answer")


class HistoryChangedError(Exception):
    """The API server's state is older than one that was seen before: etcd was restored from a backup."""


class Marker(NamedTuple):
    """The state of the store before a listing."""

    sequence: int
    version: int
    """The highest resourceVersion of the kind so far."""


class Store:
    """The latest known version of each object, whatever the order of arrival.

    An older resourceVersion never replaces a newer one or a deletion, and a listing never undoes a change
    that arrived after the listing was begun.

    Resource versions only grow, until etcd is restored from a backup. A listing shows that
    (`HistoryChangedError`); `forget_versions` then lets the next version of each object in, whatever its
    number.
    """

    def __init__(self) -> None:
        self._jobs: dict[JobKey, Object] = {}
        self._children: dict[JobKey, dict[str, Object]] = defaultdict(dict)
        self._reports: dict[str, ProgressReport] = {}
        self._reported_at: dict[str, str] = {}
        self._last_answers: dict[str, str] = {}
        self._silent_since: dict[str, str] = {}
        self._warnings: dict[str, WarningEvent] = {}
        self._workloads: dict[str, Workload] = {}
        self._outputs = OutputIndex()
        self._tombstones: dict[str, int] = {}
        """The uids of removed objects, and the version by which each was gone."""
        self._highest: dict[str, int] = {}
        self._forgotten: set[str] = set()
        self._sequence = 0
        self._updated_at: dict[str, int] = {}
        self.refused = 0
        """Number of versions of FineTuneJobs that were refused (see `intake`)."""

    def knows(self, obj: Object) -> bool:
        """Whether this version of the object, a newer one, or its end is known."""
        uid = obj["metadata"].get("uid", "")
        return _version(obj) <= max(self._tombstones.get(uid, -1), self._known_version(self._find(obj)))

    def put(self, obj: Object) -> bool:
        """Store the object unless this version or a newer one is known; whether it was stored."""
        if self.knows(obj):
            return False
        uid = obj["metadata"].get("uid", "")
        old = self._find(obj)
        self._tombstones.pop(uid, None)
        self._forgotten.discard(uid)
        self._note_version(obj["kind"], _version(obj))
        if old is not None and (old["metadata"].get("uid") != uid or parent_key(old) != parent_key(obj)):
            self._drop(old)
        kept = take_in(obj)
        if old is not None and kept["kind"] == "Pod" and restarts_of(kept) > restarts_of(old):
            # They are those of the container before.
            self._reports.pop(uid, None)
            self._reported_at.pop(uid, None)
        if kept.get(REFUSED) != (old or {}).get(REFUSED, ""):
            self.refused += REFUSED in kept
        self._add(kept)
        self._sequence += 1
        self._updated_at[uid] = self._sequence
        return True

    def remove(self, obj: Object, version: int = 0) -> None:
        """Remove an object that by `version`, or by its own, was deleted or had lost its label.

        A later version of it is stored again.
        """
        uid = obj["metadata"].get("uid", "")
        if uid not in self._forgotten:
            self._note_version(obj["kind"], _version(obj))
        known = self._find(obj)
        if known is not None and known["metadata"].get("uid") == uid:
            self._drop(known)
        self._tombstones[uid] = max(version, _version(obj), self._tombstones.get(uid, -1))
        if len(self._tombstones) > _MAX_TOMBSTONES:
            del self._tombstones[next(iter(self._tombstones))]

    def begin_listing(self, kind: str) -> Marker:
        """A marker to take before a listing is requested and to pass to `replace`."""
        return Marker(self._sequence, self._highest.get(kind, 0))

    def replace(self, kind: str, listing: Listing, since: Marker, namespace: str = "") -> set[JobKey]:
        """Replace all objects of a kind, of one or all namespaces, by a listing, except those that changed
        after `since`; the FineTuneJobs for which that changed something.

        Raises:
            HistoryChangedError: the listing contradicts what was seen before; the store is unchanged.
        """
        if listing.version and (
            listing.version < since.version or any(self._contradicts(o, listing) for o in listing.objects)
        ):
            raise HistoryChangedError
        self._note_version(kind, listing.version)
        listed: set[str] = set()
        changed: set[JobKey] = set()
        for obj in listing.objects:
            listed.add(obj["metadata"].get("uid", ""))
            if self.put(obj):
                changed.update(keys_of(obj))
        for obj in self._of_kind(kind):
            uid = obj["metadata"].get("uid", "")
            is_listed = uid in listed or namespace not in ("", namespace_of(obj))
            if not is_listed and self._updated_at.get(uid, 0) <= since.sequence:
                self.remove(obj, listing.version)
                changed.update(keys_of(obj))
        return changed

    def forget_versions(self) -> None:
        """Let the next version of every object replace the stored one, and deleted objects return."""
        self._tombstones.clear()
        self._highest.clear()
        self._updated_at.clear()
        self._forgotten = {
            child["metadata"].get("uid", "")
            for children in self._children.values()
            for child in children.values()
        } | {job["metadata"].get("uid", "") for job in self._jobs.values()}

    def _contradicts(self, obj: Object, listing: Listing) -> bool:
        """Whether a newer version of a listed object, or its end, was seen before the listed state."""
        uid = obj["metadata"].get("uid", "")
        old = self._find(obj)
        known = self._known_version(old) if old is not None and old["metadata"].get("uid") == uid else -1
        return _version(obj) < max(known, self._tombstones.get(uid, -1)) <= listing.version

    def _known_version(self, old: Object | None) -> int:
        """The version that a newer one must exceed; -1 if there is none."""
        if old is None or old["metadata"].get("uid", "") in self._forgotten:
            return -1
        return _version(old)

    def _note_version(self, kind: str, version: int) -> None:
        self._highest[kind] = max(self._highest.get(kind, 0), version)

    def all_keys(self) -> list[JobKey]:
        """The keys of all FineTuneJobs."""
        return list(self._jobs)

    def statuses(self) -> Iterator[tuple[JobKey, Object]]:
        """The status of each FineTuneJob, not parsed."""
        for key, job in list(self._jobs.items()):  # a copy: Prometheus scrapes from its own thread
            yield key, job["status"]

    def finetunejob(self, key: JobKey) -> Object | None:
        """The FineTuneJob, or None."""
        return self._jobs.get(key)

    def find_older_with_same_output(self, job: Object) -> JobKey | None:
        """The oldest FineTuneJob with the same `spec.output.uri`; None if it is the job itself."""
        return self._outputs.find_older(job)

    def jobs(self, key: JobKey) -> list[Object]:
        """The Jobs labelled as children of a FineTuneJob."""
        return self._children_of(key, "Job")

    def experiments(self, key: JobKey) -> list[Object]:
        """The FineTuneJobs labelled as experiments of a FineTuneJob."""
        return self._children_of(key, KIND)

    def pods(self, key: JobKey) -> list[Object]:
        """The pods labelled as children of a FineTuneJob."""
        return self._children_of(key, "Pod")

    def pods_of(self, job: Object) -> list[Object]:
        """The pods that a Job controls."""
        key, uid = parent_key(job), job["metadata"]["uid"]
        return [pod for pod in self.pods(key) if controller_uid(pod) == uid] if key else []

    def all_pods(self) -> Iterator[Object]:
        """Every known pod."""
        return iter(self._of_kind("Pod"))

    def all_batch_jobs(self) -> Iterator[Object]:
        """Every known Job."""
        return iter(self._of_kind("Job"))

    def put_report(self, pod: Object, report: ProgressReport, now: str) -> bool:
        """Store a pod's progress report; whether it differs from the last one, or ends a silence."""
        uid = pod["metadata"]["uid"]
        if uid in self._tombstones:
            return False
        self._last_answers[uid] = now
        was_silent = self._silent_since.pop(uid, "")
        if self._reports.get(uid) == report:
            return bool(was_silent)
        self._reports[uid], self._reported_at[uid] = report, now
        return True

    def report(self, pod: Object) -> ProgressReport | None:
        """The pod's last progress report, or None."""
        return self._reports.get(pod["metadata"]["uid"])

    def reported_at(self, pod: Object) -> str:
        """When the pod's last report was stored that differed from the one before (RFC 3339); else empty.

        Unlike `last_answer` it stays the same while nothing happens, so that a status may depend on it.
        """
        return self._reported_at.get(pod["metadata"]["uid"], "")

    def last_answer(self, pod: Object, now: str) -> str:
        """When the pod's last report was stored; without one, when this was asked first (RFC 3339)."""
        uid = pod["metadata"]["uid"]
        return now if uid in self._tombstones else self._last_answers.setdefault(uid, now)

    def put_silence(self, pod: Object, since: str) -> bool:
        """Store that a pod has given no sign of life since then; whether that was not known."""
        uid = pod["metadata"]["uid"]
        if uid in self._tombstones or self._silent_since.get(uid) == since:
            return False
        self._silent_since[uid] = since
        return True

    def silent_since(self, pod: Object) -> str:
        """Since when the pod has given no sign of life (RFC 3339); empty when it does."""
        return self._silent_since.get(pod["metadata"]["uid"], "")

    def forget_answers(self) -> None:
        """Forget what pods have answered and Events have said: while another replica leads, nobody asks."""
        for by_uid in self._answers():
            by_uid.clear()

    def put_warning(self, obj: Object, warning: WarningEvent | None) -> bool:
        """Store the newest Event about a Job or Pod; whether it differs from the one that was known."""
        return self._put_answer(self._warnings, obj, warning)

    def warning(self, obj: Object) -> WarningEvent | None:
        """The newest Event about a Job or Pod when it was looked up last; it may be past by now."""
        return self._warnings.get(obj["metadata"]["uid"])

    def put_workload(self, job: Object, workload: Workload | None) -> bool:
        """Store the Workload of a Job in a queue; whether it differs from the one that was known."""
        return self._put_answer(self._workloads, job, workload)

    def workload(self, job: Object) -> Workload | None:
        """The Workload of a Job in a queue when it was looked up last."""
        return self._workloads.get(job["metadata"]["uid"])

    def _put_answer(self, answers: dict[str, _Answer], obj: Object, answer: _Answer | None) -> bool:
        """Store what was found out about a child; None removes it. Returns whether it is new."""
        uid = obj["metadata"]["uid"]
        if uid in self._tombstones or answers.get(uid) == answer:
            return False
        if answer is None:
            del answers[uid]
        else:
            answers[uid] = answer
        return True

    def _answers(self) -> Iterator[dict[str, Any]]:
        """What has been asked about children, by their uids."""
        yield from (self._reports, self._reported_at, self._last_answers)
        yield from (self._silent_since, self._warnings, self._workloads)

    def _children_of(self, key: JobKey, kind: str) -> list[Object]:
        return [child for child in self._children.get(key, {}).values() if child["kind"] == kind]

    def _of_kind(self, kind: str) -> list[Object]:
        if kind == KIND:
            return list(self._jobs.values())
        return [c for children in self._children.values() for c in children.values() if c["kind"] == kind]

    def _find(self, obj: Object) -> Object | None:
        key = _job_key(obj)
        if key is None:
            return None
        if obj["kind"] == KIND:
            return self._jobs.get(key)
        return self._children.get(key, {}).get(obj["metadata"].get("uid", ""))

    def _add(self, obj: Object) -> None:
        if obj["kind"] == KIND:
            self._jobs[key_of(obj)] = obj
            self._outputs.put(obj)
        if (parent := parent_key(obj)) is not None:
            self._children[parent][obj["metadata"]["uid"]] = obj

    def _drop(self, obj: Object) -> None:
        uid = obj["metadata"].get("uid", "")
        if obj["kind"] == KIND:
            self._jobs.pop(key_of(obj), None)
            self._outputs.remove(obj)
        if (parent := parent_key(obj)) is not None:
            children = self._children.get(parent, {})
            children.pop(uid, None)
            if not children:
                self._children.pop(parent, None)
        for by_uid in self._answers():
            by_uid.pop(uid, None)
        self._updated_at.pop(uid, None)
        self._forgotten.discard(uid)


def _job_key(obj: Object) -> JobKey | None:
    return key_of(obj) if obj["kind"] == KIND else parent_key(obj)


def _version(obj: Object) -> int:
    """Resource versions of one object are ordered numbers (documented so since Kubernetes 1.35)."""
    return int(obj["metadata"].get("resourceVersion") or 0)
