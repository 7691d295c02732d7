"""Deletes from the bucket what a run that has succeeded need not keep: checkpoints, and older runs."""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from finscribe_core.constants import LATEST_FILE, RUNS_PREFIX
from finscribe_core.errors import FailureReason, FinscribeError, UserError
from finscribe_core.trainer_config import KeepCheckpoints, TrainerConfig
from finscribe_trainer.storage import Storage
from finscribe_trainer.training.run import Run

log = logging.getLogger(__name__)

_HASH = re.compile(r"(?<=^local)-\d{8}-\d{6}-[0-9a-f]{8}$|-[0-9a-f]{8}$")
"""What the names of a job's runs differ by."""


def delete_outdated(run: Run, storage: Storage, best_step: int | None) -> None:
    """Delete what `keep_checkpoints` and `keep_runs` do not keep; an error is only a warning.

    Without `keep_checkpoints`, the newest `save_total_limit` remain, as during the training: an attempt that
    was killed may have left more of them.

    Args:
        run: the run, whose result is complete in the bucket.
        storage: where it is.
        best_step: the step whose adapter is the result.
    """
    config = run.config
    if run.uri is None or config.output_uri is None:
        return
    with _errors_as_warnings("Checkpoints"):
        _delete_checkpoints(run.uri, storage, config, best_step)
    if config.keep_runs is not None:
        with _errors_as_warnings("Older runs"):
            _delete_runs(run, config.output_uri.rstrip("/"), config.keep_runs, storage)


@contextmanager
def _errors_as_warnings(what: str) -> Iterator[None]:
    try:
        yield
    except FinscribeError as error:
        log.warning("%s remain in the bucket: %s", what, error)


def _delete_checkpoints(run_uri: str, storage: Storage, config: TrainerConfig, best_step: int | None) -> None:
    keep = config.keep_checkpoints

    def choose(newest_first: list[str]) -> list[str]:
        if keep is None:
            return newest_first[: config.training.save_total_limit]
        best = f"checkpoint-{best_step}"
        if keep is KeepCheckpoints.Best and best in newest_first:
            return [best]
        return [] if keep is KeepCheckpoints.Nothing else newest_first[:1]

    storage.prune_checkpoints(run_uri, choose)


def _delete_runs(run: Run, output_uri: str, keep: int, storage: Storage) -> None:
    runs = storage.published_runs(output_uri)
    for name in outdated(runs.newest_first(), run.name, keep):
        if name == _promoted_run(output_uri, storage) or _is_named(name, output_uri, run):
            continue
        runs.delete(name)
        log.info("deleted %s/%s/%s: keep_runs is %d", output_uri, RUNS_PREFIX, name, keep)


def outdated(newest_first: Sequence[str], own: str, keep: int) -> list[str]:
    """The runs of the same job that are not among the newest, the oldest first; never the own run.

    >>> names = ["a-00000003", "b-00000001", "a-00000002", "a-00000001"]
    >>> outdated(names, "a-00000003", 1), outdated(names, "a-00000001", 1)
    (['a-00000001', 'a-00000002'], ['a-00000002'])
    """
    of_job = [name for name in newest_first if _HASH.sub("", name) == _HASH.sub("", own)]
    return [name for name in reversed(of_job[keep:]) if name != own]


def _promoted_run(output_uri: str, storage: Storage) -> str | None:
    """The run that latest.json names now; None when there is no such file.

    Raises:
        FinscribeError: it can't be read.
    """
    uri = f"{output_uri}/{LATEST_FILE}"
    latest = storage.read_json(uri)
    if latest is None and storage.exists(uri):
        raise UserError(FailureReason.OutputNotFound, f"Which run {uri} names is not known.")
    return None if latest is None else str(latest.get("run"))


def _is_named(name: str, output_uri: str, run: Run) -> bool:
    """Whether the config names the run's adapter, from which the job's next runs will start, too."""
    adapter = run.config.adapter_name_or_path or ""
    return adapter.startswith(f"{output_uri}/{RUNS_PREFIX}/{name}/")
