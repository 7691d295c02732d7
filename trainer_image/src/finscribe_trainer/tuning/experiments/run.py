"""Runs every experiment of a plan, one after another."""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from finscribe_core.atomic_files import write_atomically
from finscribe_core.errors import FailureReason, FinscribeError, RetryableError, UserError
from finscribe_core.experiments import Variant
from finscribe_core.report import RunResult
from finscribe_trainer.runtime.outputs import claim_folder
from finscribe_trainer.runtime.stop_signal import StopRequested, StopSignal
from finscribe_trainer.tuning.experiments.folder import read_outcome
from finscribe_trainer.tuning.experiments.results import PLAN_FILE, REPORT_FILES
from finscribe_trainer.tuning.experiments.training import Training

log = logging.getLogger(__name__)


def training_of(variant: Variant, output_dir: Path) -> Training:
    """The training of a variant, in a folder of its own; vision features are shared by all."""
    config, outputs = variant.config, {"output_dir": str(output_dir / variant.name)}
    outputs["feature_cache_dir"] = config.feature_cache_dir or str(output_dir / "features")
    if config.output_uri:
        outputs["output_uri"] = f"{config.output_uri.rstrip('/')}/experiments/{variant.name}"
    return Training(config.model_copy(update=outputs))


def write_plan(variants: Sequence[Variant], output_dir: Path) -> None:
    """Write the plan, so that results can be collected from the folder alone."""
    output_dir.mkdir(parents=True, exist_ok=True)
    plan = {
        "metric": str(variants[0].config.early_stopping.metric),
        "experiments": [
            {
                "name": variant.name,
                "overrides": variant.overrides,
                "description": variant.description,
                "expected_behavior": variant.expected_behavior,
                "notes": variant.notes,
            }
            for variant in variants
        ],
    }
    write_atomically(output_dir / PLAN_FILE, json.dumps(plan, indent=2).encode() + b"\n")


def run_experiments(  # noqa: PLR0913 - one for each option
    variants: Sequence[Variant],
    output_dir: Path,
    names: Sequence[str],
    stop: StopSignal,
    *,
    fail_fast: bool,
    overwrite: bool = False,
    after_each: Callable[[], object],
) -> list[FinscribeError]:
    """Train every experiment that has not been trained yet; a failure does not stop the others.

    Args:
        variants: the whole plan, the baseline first.
        output_dir: each is trained in a folder below.
        names: the experiments to train; all when empty.
        stop: when requested, the running training saves a checkpoint and ends.
        fail_fast: end at the first failure.
        overwrite: whether results that are not of experiments may be replaced.
        after_each: called after each training.

    Returns:
        the errors of those that failed.

    Raises:
        UserError: InvalidConfig for an unknown name, or an experiment that was started with other settings.
        StopRequested: `stop` was requested.
    """
    if unknown := set(names) - {variant.name for variant in variants}:
        known = ", ".join(variant.name for variant in variants)
        raise UserError(
            FailureReason.InvalidConfig,
            f"There is no experiment named {min(unknown)}.",
            f"The experiments are: {known}.",
        )
    failures: list[FinscribeError] = []
    writes = (*REPORT_FILES, *(variant.name for variant in variants))
    with claim_folder(output_dir, overwrite=overwrite, writes=writes, own=PLAN_FILE):
        trainings = {variant.name: training_of(variant, output_dir) for variant in variants}
        for name in names or trainings:
            trainings[name].check_unchanged()
        write_plan(variants, output_dir)
        for number, name in enumerate(names or trainings, 1):
            failure = _run_one(name, trainings[name], f"{number} of {len(names or trainings)}", stop)
            after_each()
            if failure:
                failures.append(failure)
            if failures and fail_fast:
                break
    return failures


def _run_one(name: str, training: Training, place: str, stop: StopSignal) -> FinscribeError | None:
    before = read_outcome(training.folder)
    if before and before.succeeded:
        log.info("%s (%s) is already trained", name, place)
        return None
    log.info("%s (%s): training in %s", name, place, training.folder)
    result = training.run(stop)
    if result.succeeded:
        return None
    if stop.requested.is_set():
        raise StopRequested
    log.error("%s failed: %s", name, result.message)
    return _failure(name, result)


def _failure(name: str, result: RunResult) -> FinscribeError:
    kind = RetryableError if result.retryable else UserError
    return kind(result.known_reason, f"{name}: {result.message}", result.remedy)
