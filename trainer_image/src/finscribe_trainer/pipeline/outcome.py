"""Turns the end of a run, by success or error, into a RunResult, a log line and an exit code."""

import logging
import os
from collections.abc import Callable

from finscribe_core.api.v1alpha1 import FineTuneJobSpec
from finscribe_core.constants import (
    ENV_JOB,
    EXIT_DONE,
    EXIT_INTERNAL,
    EXIT_MACHINE_FULL,
    EXIT_PEER_LOST,
)
from finscribe_core.errors import (
    FailureReason,
    FinscribeError,
    RetryableError,
    UserError,
    exception_chain,
    is_disk_full,
)
from finscribe_core.fields import in_camel_case
from finscribe_core.logs import AS_PRINTED
from finscribe_core.report import RunResult
from finscribe_trainer.distributed.processes import PeerFailedError
from finscribe_trainer.reporting import RunReporter, setup_logging
from finscribe_trainer.runtime.out_of_memory import is_out_of_memory
from finscribe_trainer.runtime.shared_memory import is_worker_failure
from finscribe_trainer.runtime.stop_signal import StopRequested, StopSignal

log = logging.getLogger(__name__)

_MACHINE_FULL = (FailureReason.DiskFull, FailureReason.OOMKilled)


def run_task(work: Callable[[RunReporter, StopSignal], RunResult]) -> int:
    """Run work that trains nothing, in a process of its own, and report its result like that of a run.

    Returns:
        the exit code, as of `run_and_report`.
    """
    setup_logging(level=logging.INFO)
    stop = StopSignal(announce=True)
    stop.install()
    reporter = RunReporter()
    return run_and_report(lambda: work(reporter, stop), reporter)


def run_and_report(train: Callable[[], RunResult | None], reporter: RunReporter) -> int:
    """Run `train` and write its result, or its error, as the termination message.

    Nothing is written when another process of the run reports the result: `train` returns None, or raises
    PeerFailedError.

    Returns:
        the exit code: 0 done, 78 user error, 75 transient error, 71 full disk or memory, 70 bug, 69 another
        process has ended.
    """
    try:
        result = train()
        code = EXIT_DONE
    except PeerFailedError as error:
        if str(error):
            log.error("%s", error)
        return EXIT_PEER_LOST
    except (Exception, StopRequested) as error:
        known = _respelled(classify(error))
        result, code = _failure(error, known, reporter)
        if known is None:
            log.exception("InternalError: this is a bug in FinScribe, please report it")
        else:
            log.error("%s", known.as_printed(), extra=AS_PRINTED)
    if result is not None:
        reporter.write_termination(result)
    return code


def _failure(
    error: BaseException, known: FinscribeError | None, reporter: RunReporter
) -> tuple[RunResult, int]:
    now = reporter.snapshot()
    result = RunResult(
        succeeded=False,
        reason=known.reason if known else FailureReason.InternalError,
        message=known.message if known else f"{type(error).__name__}: {error}",
        remedy=known.remedy if known else "Please report this, with the log.",
        retryable=not isinstance(known, UserError),
        progress=now.progress,
        metrics=now.metrics,
        dataset=now.dataset,
        initial_adapter=now.initial_adapter,
    )
    return result, _exit_code(known)


def _exit_code(known: FinscribeError | None) -> int:
    if known is None:
        return EXIT_INTERNAL
    return EXIT_MACHINE_FULL if known.reason in _MACHINE_FULL else known.exit_code


def _respelled(error: FinscribeError | None) -> FinscribeError | None:
    if error is None:
        return None
    message, remedy = (in_spelling_of_the_file(text) for text in (error.message, error.remedy))
    return type(error)(error.reason, message, remedy)


def in_spelling_of_the_file(text: str) -> str:
    """A text with settings named as in the user's file: in camelCase for a FineTuneJob."""
    return in_camel_case(FineTuneJobSpec, text) if os.environ.get(ENV_JOB) else text


def classify(error: BaseException) -> FinscribeError | None:
    """Classify an error by itself and its causes as a FinscribeError; None for a bug."""
    for cause in exception_chain(error):
        if isinstance(cause, FinscribeError):
            return cause
        if isinstance(cause, StopRequested):
            return RetryableError(
                FailureReason.Interrupted, "Stopped by a signal before or after the training."
            )
        if is_worker_failure(cause):
            return RetryableError(
                FailureReason.OOMKilled,
                f"A data worker has ended, for lack of memory or of shared memory (/dev/shm): {cause}",
                "Raise resources.memory or the container's shared memory, or lower dataloaderNumWorkers.",
            )
        if is_disk_full(cause):
            return RetryableError(
                FailureReason.DiskFull,
                f"No space is left on the disk: {cause}.",
                "Raise resources.scratch (or free space in output_dir).",
            )
        if is_out_of_memory(cause):
            return UserError(
                FailureReason.InvalidConfig,
                "The GPU's memory does not suffice.",
                "Lower per_device_train_batch_size (raise gradient_accumulation_steps instead), keep "
                "gradient_checkpointing true, or use method QLoRA.",
            )
    return None
