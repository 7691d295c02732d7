"""Lists what a change of each field of the spec leads to: a new run, a new attempt of the run, or neither."""

from collections.abc import Mapping
from enum import StrEnum

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
    *("gradientAccumulationSteps", "warmupRatio", "warmupSteps", "weightDecay", "maxGradNorm"),
    *("lrSchedulerType", "lrSchedulerNumCycles", "bf16", "fp16", "optim", "attnImplementation"),
    *("torchCompile", "packing", "groupByLength", "fsdp", "maxSequenceLength", "evalSteps", "seed"),
)
_POD_RESOURCES = ("gpuResourceName", "cpu", "memory", "scratch")

FIELD_CHANGES: Mapping[str, Change] = {
    **dict.fromkeys(("model", "dataset", "method", "lora", "earlyStopping", "loss"), Change.NewRun),
    **dict.fromkeys(("augmentation", "curriculum", "evaluation", "output", "retrain"), Change.NewRun),
    **{f"training.{name}": Change.NewRun for name in _TRAINING},
    **{f"training.{name}": Change.NewAttempt for name in _TRAINING_IN_THE_SAME_WAY},
    # One process per GPU, each with its own batch: their number changes the effective batch size.
    "resources.gpus": Change.NewRun,
    **{f"resources.{name}": Change.NewAttempt for name in _POD_RESOURCES},
    **dict.fromkeys(("featureCache", "storage", "reporting", "pod", "image"), Change.NewAttempt),
    **dict.fromkeys(("experiments", "suspend", "backoffLimit", "activeDeadlineSeconds"), Change.InPlace),
}
"""By field, or by section if it is the same for all of the section's fields."""

_DIVIDED = {path.split(".")[0] for path in FIELD_CHANGES if "." in path}


def select(spec: Object, change: Change) -> Object:
    """The part of a spec whose change leads to `change`. Fields that are not listed start a new run."""
    selected: Object = {}
    for name, value in spec.items():
        if name in _DIVIDED:
            section = value if isinstance(value, dict) else {}
            part = {
                key: item
                for key, item in section.items()
                if FIELD_CHANGES.get(f"{name}.{key}", Change.NewRun) is change
            }
            if part:
                selected[name] = part
        elif FIELD_CHANGES.get(name, Change.NewRun) is change:
            selected[name] = value
    return selected
