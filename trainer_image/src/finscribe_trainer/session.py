"""One start of the trainer: logging, signals and reports around the recipe."""

import contextlib
import os
import sys
import warnings
from collections.abc import Callable

from finscribe_core.constants import ENV_RUN
from finscribe_core.report import RunResult
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.command import http_port, run_name
from finscribe_trainer.outcome import conclude
from finscribe_trainer.recipe import train
from finscribe_trainer.reporting import RunReporter, setup_logging
from finscribe_trainer.run import Run
from finscribe_trainer.stop import StopSignal


def run_session(load_config: Callable[[], TrainerConfig], resume: str | None) -> int:
    """Train as the config says; whatever happens ends as a RunResult.

    Returns:
        the exit code.
    """
    setup_logging()
    stop = StopSignal()
    stop.install()
    reporter = RunReporter()

    def work() -> RunResult:
        config = load_config()
        port = http_port()
        with reporter.serve(port) if port else contextlib.nullcontext():
            prepare_environment()
            run = Run(
                config,
                run_name(config),
                resume,
                reporter,
                stop,
                show_bar=sys.stderr.isatty(),
                may_have_begun=ENV_RUN in os.environ,
            )
            return train(run)

    return conclude(work, reporter)


def prepare_environment() -> None:
    """Set what the libraries read from the environment, before they are imported."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # data workers are forked
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    # peft asks by the old name
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
