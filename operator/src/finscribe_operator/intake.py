"""Takes in objects of the API server: keeps the fields that are used, and refuses what can't be kept.

Every object that the store gets passes through `take_in`. A refused FineTuneJob becomes Invalid, with the
reason.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from finscribe_core.api.v1alpha1 import RETRY_TOKEN_LIMIT
from finscribe_core.constants import (
    ANNOTATION_ATTEMPT,
    ANNOTATION_GAVE_UP,
    ANNOTATION_GPUS,
    ANNOTATION_OCCASION,
    ANNOTATION_PLAN,
    ANNOTATION_RETRY,
    ANNOTATION_START_DEADLINE,
    ANNOTATION_SUSPENDED,
    CONTAINER_NAME,
    GROUP,
    KIND,
    LABEL_NODE_RANK,
    LABEL_QUEUE,
    LABEL_RESTORED,
)
from finscribe_operator.objects import Object

REFUSED = "refused"
"""Key of a refused object that says why; such an object has an empty spec."""
MAX_DEPTH = 32
"""Nested lists and maps of a spec or status; the schema of a FineTuneJob needs 11."""
MAX_SPEC_BYTES = 256 * 1024
"""Size of a spec as JSON; 40 times a spec with every field set and all experiments."""
JSON_RECURSION_LIMIT = 20_000
"""Twice the nesting that an API server accepts (10,000, the limit of Go's JSON decoder)."""

_METADATA = (
    *("name", "namespace", "uid", "generation", "resourceVersion"),
    *("creationTimestamp", "deletionTimestamp"),
)
NOTE_LIMIT = 2048
"""Characters of the annotation that says why a Job was ended."""
_ANNOTATIONS = {
    **dict.fromkeys((ANNOTATION_ATTEMPT, ANNOTATION_GPUS, ANNOTATION_OCCASION, ANNOTATION_SUSPENDED), 253),
    ANNOTATION_PLAN: 253,
    ANNOTATION_RETRY: RETRY_TOKEN_LIMIT,
    **dict.fromkeys((ANNOTATION_START_DEADLINE, ANNOTATION_GAVE_UP), NOTE_LIMIT),
}
"""The annotations that are read, and how many of their characters are kept."""
_SPECS = {"Job": ("suspend", "backoffLimit", "activeDeadlineSeconds", "parallelism"), "Pod": ("nodeName",)}
_STATUSES = {
    "Job": ("startTime", "completionTime", "failed", "conditions"),
    "Pod": ("phase", "reason", "message", "podIP", "startTime", "conditions"),
}
_CONTAINER = ("name", "ports", "resources", "restartPolicyRules")
_STATUS = ("name", "state", "lastState", "restartCount", "volumeMounts")


def allow_deep_json() -> bool:
    """Let the JSON parser read whatever an API server accepts, such as deep managedFields.

    kopf parses the watch streams, and an object that it can't parse would end them for all objects. Returns
    False on Python 3.12 and 3.13, whose parser has a fixed limit that is lower.
    """
    sys.setrecursionlimit(max(sys.getrecursionlimit(), JSON_RECURSION_LIMIT))
    depth = JSON_RECURSION_LIMIT // 2 + 100
    try:
        json.loads("[" * depth + "]" * depth)
    except RecursionError:
        return False
    return True


def take_in(obj: Object) -> Object:
    """The fields of a FineTuneJob, Job or Pod that the operator reads; of a refused one its identity.

    Taking in a result again changes nothing.
    """
    if REFUSED in obj:
        return obj
    kind, spec, status = obj["kind"], obj.get("spec") or {}, obj.get("status") or {}
    kept: Object = {"apiVersion": obj["apiVersion"], "kind": kind, "metadata": _metadata(obj["metadata"])}
    try:
        if kind != KIND:
            child: Object = _shared(_child(kind, spec, status))
            return kept | child
        # Like a status that does not parse, one of another shape counts as empty: another program wrote it.
        is_usual = isinstance(status, dict) and not _is_deeper(status, MAX_DEPTH)
        kept["status"] = _shared(status) if is_usual else {}
        problem = _problem(spec)
    except Exception as error:  # one object must never stop the others, whatever is wrong with it
        problem = f"The object can't be read ({type(error).__name__}: {error})."
    if problem:
        return {"spec": {}, "status": {}, **kept, REFUSED: problem}
    return {**kept, "spec": _shared(spec)}


def _shared(value: Any) -> Any:
    """The value, in which equal texts are one: most are the same in all jobs, such as types and messages."""
    if type(value) is str:
        return sys.intern(value)
    if isinstance(value, dict):
        return {key: _shared(item) for key, item in value.items()}
    return [_shared(item) for item in value] if isinstance(value, list) else value


def _metadata(meta: Mapping[str, Any]) -> Object:
    """Without managedFields, which are most of the bytes, and others' annotations, labels and owners."""
    kept = {name: meta[name] for name in _METADATA if name in meta}
    labels = {
        name: value
        for name, value in (meta.get("labels") or {}).items()
        if name.startswith(f"{GROUP}/") or name in (LABEL_RESTORED, LABEL_NODE_RANK, LABEL_QUEUE)
    }
    theirs = meta.get("annotations") or {}
    annotations = {name: str(theirs[name])[:limit] for name, limit in _ANNOTATIONS.items() if name in theirs}
    owners = [
        {"uid": owner["uid"], "controller": True}
        for owner in meta.get("ownerReferences") or []
        if owner.get("controller")
    ]
    optional = {"labels": labels, "annotations": annotations, "ownerReferences": owners}
    return kept | {name: value for name, value in optional.items() if value}


def _child(kind: str, spec: Mapping[str, Any], status: Mapping[str, Any]) -> Object:
    """Spec and status of a Job or Pod."""
    kept_spec = {name: spec[name] for name in _SPECS[kind] if name in spec}
    kept_status = {name: status[name] for name in _STATUSES[kind] if name in status}
    if kind == "Pod":
        kept_spec["containers"] = list(_trainer(spec.get("containers") or [], _CONTAINER))
        statuses = status.get("containerStatuses") or []
        kept_status["containerStatuses"] = [_with_image_volumes(each) for each in _trainer(statuses, _STATUS)]
    return {"spec": kept_spec, "status": kept_status}


def _with_image_volumes(container_status: Object) -> Object:
    """A container's status, of whose mounts only those remain that the kubelet reports an image of."""
    mounts = [each for each in container_status.pop("volumeMounts", None) or () if "volumeStatus" in each]
    return {**container_status, "volumeMounts": mounts} if mounts else container_status


def _trainer(containers: list[Object], fields: tuple[str, ...]) -> Iterator[Object]:
    for container in containers:
        if container.get("name") == CONTAINER_NAME:
            yield {name: container[name] for name in fields if name in container}


def _problem(spec: Any) -> str:
    """Why a spec is refused, as a sentence; empty when it is not."""
    if _is_deeper(spec, MAX_DEPTH):
        return f"spec: lists and maps are nested more than {MAX_DEPTH} levels deep."
    size = len(json.dumps(spec))
    return f"spec: {size} bytes as JSON are more than {MAX_SPEC_BYTES}." if size > MAX_SPEC_BYTES else ""


def _is_deeper(value: Any, limit: int) -> bool:
    """Whether lists and maps are nested deeper than the limit; not recursive."""
    level = [value]
    for _ in range(limit + 1):
        nested = [item for item in level if isinstance(item, dict | list)]
        if not nested:
            return False
        level = [child for item in nested for child in (item.values() if isinstance(item, dict) else item)]
    return True
