"""Lists what a change of each field leads to: a new run, a new attempt of the run, or neither."""

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from finscribe_core.api.v1alpha1 import FineTuneJobSpec
from finscribe_operator.objects import Object


class Change(StrEnum):
    """What a change of a field leads to."""

    NewRun = "NewRun"
    """The field determines what is learned, or where the result is: a changed one starts a new run."""
    NewAttempt = "NewAttempt"
    """The field determines only the pod that trains: the run continues in a new one, from its last
    checkpoint. A run that has succeeded stays as it is."""
    InPlace = "InPlace"
    """The change applies to the run's Job as it is."""


_TRAINING_IN_THE_SAME_WAY = (
    *("gradientCheckpointing", "loggingSteps", "saveSteps", "saveTotalLimit", "dataloaderNumWorkers"),
    *("stepTimeoutSeconds", "reportTo"),
)
"""Settings of `training` with which the same adapter is trained."""
_TRAINING = (
    *("learningRate", "numTrainEpochs", "maxSteps", "perDeviceTrainBatchSize", "perDeviceEvalBatchSize"),
    *(
        "gradientAccumulationSteps",
        "effectiveBatchSize",
        "warmupRatio",
        "warmupSteps",
        "weightDecay",
        "maxGradNorm",
    ),
    *("lrSchedulerType", "lrSchedulerNumCycles", "bf16", "fp16", "optim", "attnImplementation"),
    *("torchCompile", "packing", "groupByLength", "fsdp", "maxSequenceLength", "evalSteps", "seed"),
)
_PROCESSES = ("gpus", "nodes")
_POD_RESOURCES = ("gpuResourceName", "cpu", "memory", "scratch", "extended")

FIELD_CHANGES: Mapping[str, Change] = {
    **{f"model.{name}": Change.NewRun for name in ("source", "revision", "adapter", "adapterPolicy")},
    "model.tokenSecretRef": Change.NewAttempt,
    **dict.fromkeys(("dataset", "method", "lora", "earlyStopping", "loss"), Change.NewRun),
    **dict.fromkeys(("augmentation", "curriculum", "evaluation"), Change.NewRun),
    **{f"output.{name}": Change.NewRun for name in ("uri", "formats")},
    **{f"output.{name}": Change.NewAttempt for name in ("keepCheckpoints", "keepRuns")},
    **{f"training.{name}": Change.NewRun for name in _TRAINING},
    **{f"training.{name}": Change.NewAttempt for name in _TRAINING_IN_THE_SAME_WAY},
    # One process per GPU, each with its own batch: their number changes the effective batch size, unless that
    # is set (`_change`).
    **{f"resources.{name}": Change.NewRun for name in _PROCESSES},
    **{f"resources.{name}": Change.NewAttempt for name in _POD_RESOURCES},
    "retrain.trigger": Change.NewRun,
    **{f"retrain.{name}": Change.InPlace for name in ("onSpecChange", "schedule", "onDataChange")},
    **dict.fromkeys(("featureCache", "cache", "storage", "reporting", "pod", "image"), Change.NewAttempt),
    **dict.fromkeys(("preflight", "queueName", "queuePriorityClass"), Change.NewAttempt),
    **dict.fromkeys(("experiments", "suspend", "backoffLimit", "activeDeadlineSeconds"), Change.InPlace),
    **dict.fromkeys(("startDeadlineSeconds", "historyLimit"), Change.InPlace),
    **dict.fromkeys(("ttlSecondsAfterFinished", "ttlTarget"), Change.InPlace),
}
"""By field, or by section if it is the same for all of the section's fields."""

_DIVIDED = {path.split(".")[0] for path in FIELD_CHANGES if "." in path}


def select(spec: Object, change: Change) -> Object:
    """The part of a spec whose change leads to `change`. Fields that are not listed start a new run."""
    return _select(spec, change, keeps_batch=_keeps_batch(spec))


def _keeps_batch(spec: Object) -> bool:
    """Whether the effective batch size stays the same with another number of processes."""
    training = spec.get("training")
    return isinstance(training, dict) and training.get("effectiveBatchSize") is not None


def _select(spec: Object, change: Change, *, keeps_batch: bool) -> Object:
    processes = dict.fromkeys((f"resources.{name}" for name in _PROCESSES if keeps_batch), Change.NewAttempt)
    changes = {**FIELD_CHANGES, **processes}
    selected: Object = {}
    for name, value in spec.items():
        if name in _DIVIDED:
            section = value if isinstance(value, dict) else {}
            part = {
                key: item
                for key, item in section.items()
                if changes.get(f"{name}.{key}", Change.NewRun) is change
            }
            if part:
                selected[name] = part
        elif changes.get(name, Change.NewRun) is change:
            selected[name] = value
    return selected


def replace_training_settings(spec: Object, settings: Object) -> Object:
    """A written spec with the training settings of another one (those that `select` with NewRun returns)."""
    result: Object = {}
    keeps_batch = _keeps_batch(settings)
    of_pod = (
        _select(spec, change, keeps_batch=keeps_batch) for change in (Change.NewAttempt, Change.InPlace)
    )
    for part in (settings, *of_pod):
        for name, value in part.items():
            result[name] = {**result.get(name, {}), **value} if name in _DIVIDED else value
    return result


def hash_settings(spec: FineTuneJobSpec, change: Change) -> str:
    """Hash of the part of a completed spec whose change leads to `change`.

    Settings that this version has added are not part of the hash of an older run, neither are sections of
    which nothing is set.
    """
    return hash_value(_without_empty(select(spec.as_written(), change)))


def hash_value(value: Any) -> str:
    """Hash of a JSON value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _without_empty(section: Object) -> Object:
    nested = {name: _without_empty(v) if isinstance(v, dict) else v for name, v in section.items()}
    return {name: value for name, value in nested.items() if value != {}}
