"""What a command that works for long needs around it: logging, signals, errors with exit codes."""

from collections.abc import Iterator
from contextlib import contextmanager

from finscribe_core.errors import FailureReason, RetryableError
from finscribe_trainer.pipeline.outcome import classify
from finscribe_trainer.reporting import setup_logging
from finscribe_trainer.runtime.environment import prepare_environment
from finscribe_trainer.runtime.stop_signal import StopRequested, StopSignal


@contextmanager
def command_session(after_a_stop: str = "Answers read so far are kept.") -> Iterator[StopSignal]:
    """Log to stderr, end at Ctrl+C or SIGTERM, and raise what `finscribe` knows how to say.

    Args:
        after_a_stop: what is said of the work when a signal ended it.

    Raises:
        FinscribeError: what went wrong; Interrupted after a signal. A defect is raised as it is.
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
            f"Asked to stop. {after_a_stop}",
            "Run the same command again.",
        ) from None
    except Exception as error:
        known = classify(error)
        if known is None:
            raise
        raise known from error
