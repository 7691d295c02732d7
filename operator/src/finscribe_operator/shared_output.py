"""Finds FineTuneJobs with the same `spec.output.uri`, and says so: they share one latest.json."""

from finscribe_operator.objects import JobKey, Object, key_of

_SHARED = "spec.output.uri is also that of "
_Age = tuple[str, JobKey]
"""Creation time, and namespace and name; the least is the oldest."""


class OutputIndex:
    """FineTuneJobs by the prefix of their results. The oldest of a prefix is found without a search."""

    def __init__(self) -> None:
        self._prefixes: dict[str, str] = {}
        self._ages: dict[str, dict[str, _Age]] = {}
        self._oldest: dict[str, _Age] = {}

    def put(self, job: Object) -> None:
        """Add a FineTuneJob, or a new version of it."""
        uid, prefix = job["metadata"]["uid"], _prefix_of(job)
        if self._prefixes.get(uid) == prefix:
            return
        self.remove(job)
        if prefix:
            age = (str(job["metadata"].get("creationTimestamp", "")), key_of(job))
            self._prefixes[uid] = prefix
            self._ages.setdefault(prefix, {})[uid] = age
            self._oldest[prefix] = min(age, self._oldest.get(prefix, age))

    def remove(self, job: Object) -> None:
        """Remove a FineTuneJob, if it is known."""
        uid = job["metadata"]["uid"]
        prefix = self._prefixes.pop(uid, "")
        if not prefix:
            return
        ages = self._ages[prefix]
        age = ages.pop(uid)
        if not ages:
            del self._ages[prefix], self._oldest[prefix]
        elif age == self._oldest[prefix]:
            self._oldest[prefix] = min(ages.values())

    def find_older(self, job: Object) -> JobKey | None:
        """The oldest FineTuneJob with the same prefix; None if it is the job itself."""
        prefix = self._prefixes.get(job["metadata"]["uid"], "")
        oldest = self._oldest[prefix][1] if prefix else None
        return None if oldest == key_of(job) else oldest


def describe_shared_output(older: JobKey | None, namespace: str) -> str:
    """What a job of that namespace is told about an older one with the same prefix; empty without one."""
    if older is None:
        return ""
    which = f"the older job {older.name}" if older.namespace == namespace else "a job in another namespace"
    return f"{_SHARED}{which}: latest.json names the run that either of them promoted last."


def find_shared_output(message: str) -> str:
    """The part of a condition's message that `describe_shared_output` gave; empty without one."""
    _, found, rest = message.partition(_SHARED)
    return found + rest


def _prefix_of(job: Object) -> str:
    """The prefix without slashes at its end; empty if the spec, which may be invalid, has none."""
    output = job["spec"].get("output") if isinstance(job["spec"], dict) else None
    uri = output.get("uri") if isinstance(output, dict) else None
    return uri.rstrip("/") if isinstance(uri, str) else ""
