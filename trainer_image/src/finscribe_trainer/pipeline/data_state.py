"""Reports which content the training data has, without training: what the operator compares."""

import logging
from collections.abc import Callable

from finscribe_core.logs import AS_PRINTED
from finscribe_core.report import RunResult
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.data.fetch import count_file, list_rows
from finscribe_trainer.data.state import dataset_state, row_sources
from finscribe_trainer.pipeline.outcome import run_task
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.storage import Storage

log = logging.getLogger(__name__)


def run_data_state_session(load_config: Callable[[], TrainerConfig], known: str | None) -> int:
    """Report the state of the training data as a RunResult; see `report_data_state`.

    Returns:
        the exit code.
    """

    def work(reporter: RunReporter, stop: StopSignal) -> RunResult:
        config = load_config()
        storage = Storage.from_config(config.storage, observer=reporter, cancel=stop.cancel_transfers)
        result = report_data_state(config, storage, known)
        log.info("%s", result.message, extra=AS_PRINTED)
        return result

    return run_task(work)


def report_data_state(config: TrainerConfig, storage: Storage, known: str | None = None) -> RunResult:
    """The state of the files of rows that a run would read, listed and counted, not validated.

    Args:
        config: the run's config.
        storage: where its data is.
        known: a fingerprint; while the data has it, the rows are not counted.

    Raises:
        UserError: DatasetNotFound, StorageAccessDenied; DatasetInvalid for a damaged file.
        RetryableError: StorageUnavailable, also when a file is replaced while its rows are counted.
    """
    files = {kind: list_rows(source, storage) for kind, source in row_sources(config).items()}
    state = dataset_state(files)
    if state.fingerprint == known:
        message = f"The data set is unchanged: fingerprint {known}."
        return RunResult(succeeded=True, message=message, dataset=state)
    samples = sum(count_file(file, storage) for file in files["train"])
    message = f"{samples} training rows; {state.files} files of rows; fingerprint {state.fingerprint}."
    return RunResult(succeeded=True, message=message, dataset=dataset_state(files, samples))
