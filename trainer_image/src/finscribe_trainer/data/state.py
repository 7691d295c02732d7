"""Says which content the files of rows have, so that a change of the training data is noticed."""

import hashlib
import json
from collections.abc import Mapping, Sequence

from finscribe_core.report import DatasetState
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.storage.version import FileVersion


def row_sources(config: TrainerConfig) -> dict[str, str]:
    """The URIs or paths of the rows that a run reads: `train`, and `validation` and `test` if set."""
    test = config.test_path if config.evaluation.enabled else None
    named = {"train": config.dataset_path, "validation": config.validation_path, "test": test}
    return {kind: source for kind, source in named.items() if source is not None}


def dataset_state(files: Mapping[str, Sequence[FileVersion]], samples: int | None = None) -> DatasetState:
    """The state of a data set.

    Args:
        files: the files of rows for each key of `row_sources`.
        samples: number of training rows; None when they were not counted.
    """
    # An empty object is requested in another way, which does not tell its ETag.
    listed = sorted(
        [kind, file.name, file.tag if file.size else "", file.size]
        for kind, versions in files.items()
        for file in versions
    )
    fingerprint = hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:32]
    return DatasetState(fingerprint=fingerprint, samples=samples, files=len(listed))
