"""Prepares a run's curriculum: scores its rows, writes the scores, ranks the rows."""

import logging
from pathlib import Path

from finscribe_core.errors import disk_errors_as_finscribe_errors
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.distributed.processes import is_main_process
from finscribe_trainer.training.curriculum.difficulty import difficulties, parts_of, write_difficulties
from finscribe_trainer.training.curriculum.pacing import Curriculum, ranked

log = logging.getLogger(__name__)

DIFFICULTY_FILE = "difficulty.jsonl"


def prepare_curriculum(
    config: TrainerConfig, examples: list[Example], num_epochs: float
) -> Curriculum | None:
    """The curriculum over the training rows; None when it is off.

    Raises:
        UserError: InvalidConfig when the scores can't be written to the output folder.
        RetryableError: DiskFull.
    """
    spec = config.curriculum
    if not spec.enabled:
        if spec.model_fields_set and "enabled" not in spec.model_fields_set:
            log.warning("curriculum is off: set curriculum.enabled to true")
        return None
    parts = [parts_of(example) for example in examples]
    scores = difficulties(parts)
    if is_main_process():
        path = Path(config.output_dir) / DIFFICULTY_FILE
        with disk_errors_as_finscribe_errors():
            write_difficulties(path, examples, scores, parts)
        log.info("curriculum: difficulties of %d rows are in %s", len(examples), path)
    return Curriculum(spec, ranked(spec, scores, config.training.seed), num_epochs)
