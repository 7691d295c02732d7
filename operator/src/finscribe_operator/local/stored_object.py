"""Checks that a file of the state directory holds an object as this version writes it."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_core.constants import KIND
from finscribe_operator.objects import Object

Count = Annotated[int, Field(strict=True, ge=0)]


class _Part(BaseModel):
    """A part of an object: only the fields that are read are checked."""

    model_config = ConfigDict(extra="allow", strict=True)


class _Owner(_Part):
    uid: str


class _Metadata(_Part):
    name: str
    namespace: str
    uid: str
    creationTimestamp: str  # noqa: N815 - Kubernetes' names, also below
    generation: Count = 1
    resourceVersion: Annotated[str, Field(pattern=r"^\d{1,18}$")]  # noqa: N815
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    ownerReferences: list[_Owner] = []  # noqa: N815


class _Stored(_Part):
    apiVersion: str  # noqa: N815
    kind: str
    metadata: _Metadata
    spec: dict[str, Any] = {}
    status: dict[str, Any] = {}
    data: dict[str, str] = {}


class _Condition(_Part):
    type: str
    status: str


class _StoredFineTuneJob(_Stored):
    status: FineTuneJobStatus = FineTuneJobStatus()  # type: ignore[assignment] # a narrower type than the base's


class _JobSpec(_Part):
    template: dict[str, Any]
    suspend: bool = False
    backoffLimit: Count = 0  # noqa: N815
    activeDeadlineSeconds: Count | None = None  # noqa: N815


class _JobStatus(_Part):
    startTime: Annotated[datetime, Field(strict=False)] | None = None  # noqa: N815
    failed: Count = 0
    conditions: list[_Condition] = []


class _StoredJob(_Stored):
    spec: _JobSpec  # type: ignore[assignment] # as above
    status: _JobStatus = _JobStatus()  # type: ignore[assignment] # as above


class _ContainerStatus(_Part):
    state: dict[str, dict[str, Any]] = {}


class _PodStatus(_Part):
    phase: str
    conditions: list[_Condition] = []
    containerStatuses: list[_ContainerStatus] = []  # noqa: N815


class _PodMetadata(_Metadata):
    ownerReferences: Annotated[list[_Owner], Field(min_length=1)]  # noqa: N815


class _StoredPod(_Stored):
    metadata: _PodMetadata
    status: _PodStatus  # type: ignore[assignment] # as above


_MODELS: dict[str, type[_Stored]] = {KIND: _StoredFineTuneJob, "Job": _StoredJob, "Pod": _StoredPod}


def check_stored(kind: str, loaded: Any) -> Object:
    """The object, if it is one of this kind.

    Raises:
        ValueError: it is not; names the first field with a wrong value.
    """
    try:
        _MODELS.get(kind, _Stored).model_validate(loaded)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{field}: {first['msg']}" if field else first["msg"]) from error
    if loaded["kind"] != kind:
        raise ValueError(f"kind: {loaded['kind']!r} instead of {kind!r}")
    checked: Object = loaded
    return checked
