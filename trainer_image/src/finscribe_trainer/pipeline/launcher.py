"""Starts the processes of a run on this machine, each of which runs its session.

The launcher itself imports no torch: it would take seconds, and memory beside the training's.
"""

import logging
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress

from finscribe_core.constants import EXIT_DONE
from finscribe_core.errors import UserError
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.distributed.launch import launch
from finscribe_trainer.distributed.nodes import Place, read_place
from finscribe_trainer.pipeline.outcome import run_and_report
from finscribe_trainer.reporting import RunReporter, setup_logging
from finscribe_trainer.reporting.server import ReportServer, http_port


def launch_session(load_config: Callable[[], TrainerConfig], num_processes: int) -> int:
    """Start `num_processes` processes that call `run_session`; an invalid config is reported once, before.

    Returns:
        the exit code.
    """
    reporter = RunReporter()
    setup_logging(level=logging.ERROR)  # the first process logs everything else
    if (code := run_and_report(lambda: _check(load_config), reporter)) != EXIT_DONE:
        return code
    place = read_place()
    if place.nodes > 1:
        setup_logging(level=logging.INFO)  # which machine is missing, or has ended
    return launch(num_processes, sys.argv[1:], place, lambda: _serving(reporter, place))


def _check(load_config: Callable[[], TrainerConfig]) -> None:
    load_config()
    http_port()
    read_place()


def _serving(reporter: RunReporter, place: Place) -> AbstractContextManager[object]:
    """Answers the kubelet while this machine waits for others; if the port is taken, a process reports it."""
    port = http_port()
    if not port or place.nodes == 1:
        return nullcontext()
    with suppress(UserError):
        return ReportServer(reporter, port)
    return nullcontext()
