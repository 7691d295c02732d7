"""What the operator has seen: FineTuneJobs, and their Jobs and Pods, in memory and indexed by job.

Fed by events, by the answers to our own writes, and by listings; read by `observe`. Lookups are O(1) in the
number of jobs and O(children) in those of one. Not safe for threads: everything lives in one event loop.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from finscribe_core.api.v1alpha1 import State
from finscribe_core.constants import KIND
from finscribe_core.report import ProgressReport
from finscribe_operator.objects import JobKey, Object, key_of, parent_key

_MAX_TOMBSTONES = 4096


class Store:
    """The latest known version of each object.

    Out-of-order arrivals do no harm: an older resourceVersion never replaces a newer one, a deleted uid never
    comes back, and a listing never undoes what was learnt after it was begun.
    """

    def __init__(self) -> None:
        self._jobs: dict[JobKey, Object] = {}
        self._children: dict[JobKey, dict[str, Object]] = defaultdict(dict)
        self._reports: dict[str, ProgressReport] = {}
        self._tombstones: dict[str, None] = {}
        self._clock = 0
        self._learnt: dict[str, int] = {}

    def put(self, obj: Object) -> bool:
        """Keep the object unless a newer version of it is known; False when it is no news."""
        uid = obj["metadata"].get("uid", "")
        old = self._find(obj)
        if uid in self._tombstones or (old is not None and _version(obj) <= _version(old)):
            return False
        if old is not None and (old["metadata"].get("uid") != uid or parent_key(old) != parent_key(obj)):
            self._forget(old)
        self._keep(_without_noise(obj))
        self._clock += 1
        self._learnt[uid] = self._clock
        return True

    def remove(self, obj: Object) -> None:
        """Forget a deleted object."""
        uid = obj["metadata"].get("uid", "")
        known = self._find(obj)
        if known is not None and known["metadata"].get("uid") == uid:
            self._forget(known)
        self._tombstones[uid] = None
        if len(self._tombstones) > _MAX_TOMBSTONES:
            del self._tombstones[next(iter(self._tombstones))]

    def begin_listing(self) -> int:
        """A mark to take before a listing is asked for, and to give to `replace`."""
        return self._clock

    def replace(self, kind: str, objects: Iterable[Object], since: int) -> set[JobKey]:
        """Make the listing of a kind the truth, but for what was learnt after `since`.

        Returns:
            The keys of the jobs that something new was learnt about.
        """
        touched: set[JobKey] = set()
        listed: set[str] = set()
        for obj in objects:
            listed.add(obj["metadata"].get("uid", ""))
            if self.put(obj) and (key := _job_key(obj)):
                touched.add(key)
        for obj in self._of_kind(kind):
            uid = obj["metadata"].get("uid", "")
            if uid not in listed and self._learnt.get(uid, 0) <= since:
                self.remove(obj)
                if key := _job_key(obj):
                    touched.add(key)
        return touched

    def all_keys(self) -> list[JobKey]:
        """The keys of all FineTuneJobs."""
        return list(self._jobs)

    def states(self) -> Iterator[str]:
        """The state of each FineTuneJob, as its status has it."""
        for job in list(self._jobs.values()):  # a copy: Prometheus asks from its own thread
            yield job.get("status", {}).get("summary", {}).get("state", State.Pending)

    def finetunejob(self, key: JobKey) -> Object | None:
        """The FineTuneJob, or None."""
        return self._jobs.get(key)

    def jobs(self, key: JobKey) -> list[Object]:
        """The Jobs labelled as children of a FineTuneJob."""
        return self._children_of(key, "Job")

    def experiments(self, key: JobKey) -> list[Object]:
        """The FineTuneJobs labelled as experiments of a FineTuneJob."""
        return self._children_of(key, KIND)

    def pods(self, key: JobKey) -> list[Object]:
        """The pods labelled as children of a FineTuneJob."""
        return self._children_of(key, "Pod")

    def all_pods(self) -> Iterator[Object]:
        """Every known pod."""
        return iter(self._of_kind("Pod"))

    def put_report(self, pod: Object, report: ProgressReport) -> bool:
        """Keep what a pod told of its progress; False when it is no news."""
        uid = pod["metadata"]["uid"]
        if uid in self._tombstones or self._reports.get(uid) == report:
            return False
        self._reports[uid] = report
        return True

    def report(self, pod: Object) -> ProgressReport | None:
        """What the pod told last, or None."""
        return self._reports.get(pod["metadata"]["uid"])

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

    def _keep(self, obj: Object) -> None:
        if obj["kind"] == KIND:
            self._jobs[key_of(obj)] = obj
        if (parent := parent_key(obj)) is not None:
            self._children[parent][obj["metadata"]["uid"]] = obj

    def _forget(self, obj: Object) -> None:
        uid = obj["metadata"].get("uid", "")
        if obj["kind"] == KIND:
            self._jobs.pop(key_of(obj), None)
        if (parent := parent_key(obj)) is not None:
            children = self._children.get(parent, {})
            children.pop(uid, None)
            if not children:
                self._children.pop(parent, None)
        self._reports.pop(uid, None)
        self._learnt.pop(uid, None)


def _job_key(obj: Object) -> JobKey | None:
    return key_of(obj) if obj["kind"] == KIND else parent_key(obj)


def _version(obj: Object) -> int:
    """Resource versions of one object are ordered numbers (documented so since Kubernetes 1.35)."""
    return int(obj["metadata"].get("resourceVersion") or 0)


def _without_noise(obj: Object) -> Object:
    """The object without managedFields, which nobody here reads and which are half of its bytes."""
    if "managedFields" not in obj["metadata"]:
        return obj
    return {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "managedFields"}}
