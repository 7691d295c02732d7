"""Starts a run: logging, signal handlers, HTTP server and process group, then the recipe."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from finscribe_core.constants import ENV_RUN
from finscribe_core.logs import AS_PRINTED
from finscribe_core.report import RunResult
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.distributed.join import join
from finscribe_trainer.distributed.launch import stop_when_launcher_exits
from finscribe_trainer.distributed.processes import is_first_on_machine, is_main_process
from finscribe_trainer.pipeline.inputs import open_storage
from finscribe_trainer.pipeline.next_steps import next_steps
from finscribe_trainer.pipeline.outcome import run_and_report, run_task
from finscribe_trainer.pipeline.recipe import report_published, train
from finscribe_trainer.reporting import RunReporter, setup_logging
from finscribe_trainer.reporting.server import ReportServer, http_port
from finscribe_trainer.runtime.environment import prepare_environment
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.training.accumulation import with_known_accumulation
from finscribe_trainer.training.run import Run

log = logging.getLogger(__name__)


def run_session(
    load_config: Callable[[], TrainerConfig],
    resume: str | None,
    *,
    overwrite: bool = False,
    check_only: bool = False,
) -> int:
    """Run the training in this process; success and errors end as a RunResult.

    Args:
        load_config: loads the config; its errors are reported as the run's.
        resume: checkpoint to resume from: a folder or an s3:// prefix.
        overwrite: whether an earlier training in the output folder may be replaced.
        check_only: check everything, and train nothing.

    Returns:
        the exit code.
    """
    setup_logging(level=logging.INFO if is_main_process() else logging.ERROR)
    stop = StopSignal(announce=is_main_process())
    stop.install()
    stop_when_launcher_exits()
    reporter = RunReporter()

    def work() -> RunResult | None:
        config = load_config()
        in_a_job = ENV_RUN in os.environ
        if check_only:
            from finscribe_trainer.pipeline.dry_run import dry_run  # noqa: PLC0415 - slow to import

            prepare_environment()
            storage = open_storage(config, stop.cancel_transfers, reporter)
            run = Run(
                with_known_accumulation(config),
                "",
                resume,
                reporter,
                stop,
                overwrite=overwrite,
                may_have_begun=in_a_job,
            )
            log.info("%s", dry_run(run, storage), extra=AS_PRINTED)
            return None
        port = http_port() if is_first_on_machine() else None  # the kubelet asks on each
        with ReportServer(reporter, port) if port else contextlib.nullcontext():
            prepare_environment()
            reporter.set_step_timeout(config.training.step_timeout_seconds)
            processes = join(config.training.step_timeout_seconds)
            run = Run(
                with_known_accumulation(config, processes.world_size),
                processes.broadcast_from_main(lambda: run_name(config)),
                resume,
                reporter,
                stop,
                overwrite=overwrite,
                show_bar=processes.is_main and sys.stderr.isatty(),
                may_have_begun=in_a_job,
                processes=processes,
            )
            result = train(run)
            if result is not None and not in_a_job:  # a run's result is in its job's status
                log.info("%s", next_steps(result, config.model_name_or_path), extra=AS_PRINTED)
            return result

    return run_and_report(work, reporter)


def run_published_session(load_config: Callable[[], TrainerConfig]) -> int:
    """Report the result of the run if it is in the bucket; train nothing.

    Returns:
        the exit code.
    """

    def work(reporter: RunReporter, stop: StopSignal) -> RunResult:
        config = load_config()
        return report_published(Run(config, run_name(config), None, reporter, stop))

    return run_task(work)


def run_name(config: TrainerConfig) -> str:
    """The run's name: from the operator, else by time and chance for a local training that uploads.

    Runs that are started in the same second, on any machines, must not share a prefix in the bucket.
    """
    given = os.environ.get(ENV_RUN, "")
    if given or config.output_uri is None:
        return given
    return f"{datetime.now(UTC):local-%Y%m%d-%H%M%S}-{uuid4().hex[:8]}"
