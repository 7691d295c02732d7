"""Starts the processes of a run on one machine, each of which runs its session.

The launcher itself imports no torch: it would take seconds, and memory beside the training's.
"""

import logging
import sys
from collections.abc import Callable

from finscribe_core.constants import EXIT_DONE
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.distributed.launch import launch
from finscribe_trainer.pipeline.outcome import run_and_report
from finscribe_trainer.reporting import RunReporter, setup_logging
from finscribe_trainer.reporting.server import http_port


def launch_session(load_config: Callable[[], TrainerConfig], num_processes: int) -> int:
    """Start `num_processes` processes that call `run_session`; an invalid config is reported once, before.

    Returns:
        the exit code.
    """
    setup_logging(level=logging.ERROR)  # the first process logs everything else
    if (code := run_and_report(lambda: _check(load_config), RunReporter())) != EXIT_DONE:
        return code
    return launch(num_processes, sys.argv[1:])


def _check(load_config: Callable[[], TrainerConfig]) -> None:
    load_config()
    http_port()
