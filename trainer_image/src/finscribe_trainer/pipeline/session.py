"""One start of the trainer: logging, signals and reports around the recipe."""

import contextlib
import logging
import os
import resource
import sys
import warnings
from collections.abc import Callable

from finscribe_core.constants import ENV_RUN, EXIT_DONE
from finscribe_core.report import RunResult
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.cli.train import http_port, run_name
from finscribe_trainer.distributed.launch import end_with_launcher, launch
from finscribe_trainer.distributed.processes import is_main_process, join
from finscribe_trainer.pipeline.outcome import conclude
from finscribe_trainer.pipeline.recipe import train
from finscribe_trainer.reporting import RunReporter, setup_logging
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.training.run import Run

MOST_OPEN_FILES = 65_536
"""Enough for batches of thousands of rows."""


def run_session(load_config: Callable[[], TrainerConfig], resume: str | None) -> int:
    """Train as the config says, together with the run's other processes, if there are any; whatever happens
    ends as a RunResult.

    Returns:
        the exit code.
    """
    setup_logging(level=logging.INFO if is_main_process() else logging.ERROR)
    stop = StopSignal()
    stop.install()
    end_with_launcher()
    reporter = RunReporter()

    def work() -> RunResult | None:
        config = load_config()
        port = http_port() if is_main_process() else None
        with reporter.serve(port) if port else contextlib.nullcontext():
            prepare_environment()
            reporter.limit_steps(config.training.step_timeout_seconds)
            processes = join(config.training.step_timeout_seconds)
            run = Run(
                config,
                processes.from_main(lambda: run_name(config)),
                resume,
                reporter,
                stop,
                show_bar=processes.is_main and sys.stderr.isatty(),
                may_have_begun=ENV_RUN in os.environ,
                processes=processes,
            )
            return train(run)

    return conclude(work, reporter)


def launch_session(load_config: Callable[[], TrainerConfig], num_processes: int) -> int:
    """Start so many processes, each of which does `run_session`; a config that can't be used is said once.

    Returns:
        the exit code.
    """
    setup_logging(level=logging.ERROR)  # the first process says the rest
    if (code := conclude(lambda: _check(load_config), RunReporter())) != EXIT_DONE:
        return code
    return launch(num_processes, sys.argv[1:])


def _check(load_config: Callable[[], TrainerConfig]) -> None:
    load_config()
    http_port()


def prepare_environment() -> None:
    """Set what the libraries read from the environment, before they are imported."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # data workers are forked
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    allow_open_files()
    # peft asks by the old name
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)


def allow_open_files() -> None:
    """Raise the limit of open files as far as it goes: data workers hand over each tensor by some of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
