"""Sets up logging, signal handling and error classification for long-running commands."""

from collections.abc import Iterator
from contextlib import contextmanager

from finscribe_core.errors import FailureReason, RetryableError
from finscribe_trainer.pipeline.outcome import classify
from finscribe_trainer.reporting import setup_logging
from finscribe_trainer.runtime.environment import prepare_environment
from finscribe_trainer.runtime.stop_signal import StopRequested, StopSignal


@contextmanager
def command_session(interrupted: str = "The answers so far are kept.") -> Iterator[StopSignal]:
    """Log to stderr, stop at Ctrl+C or SIGTERM, and raise known errors as FinscribeError.

    Args:
        interrupted: what a signal does to the work so far, for the error message.

    Raises:
        FinscribeError: a user error or a transient error; Interrupted after a signal. Errors that are bugs
            are raised unchanged.
    """
    setup_logging()
    prepare_environment()
    stop = StopSignal()
    stop.install()
    try:
        yield stop
    except StopRequested:
        raise RetryableError(
            FailureReason.Interrupted,
            f"Stopped by a signal. {interrupted}",
            "Run the same command again.",
        ) from None
    except Exception as error:
        known = classify(error)
        if known is None:
            raise
        raise known from error
