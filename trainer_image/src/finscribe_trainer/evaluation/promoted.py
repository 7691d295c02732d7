"""Finds the run that `latest.json` names, and its model's answers to the test documents."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from peft import PeftModel

from finscribe_core.constants import ADAPTER_PREFIX, EVALUATION_PREFIX, LATEST_FILE
from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.evaluation.compare import check_comparable
from finscribe_trainer.evaluation.loading import LoadedModel, describe_model
from finscribe_trainer.evaluation.results import (
    TUNED_RESULTS,
    DataInfo,
    InferenceSettings,
    Results,
    read_results,
)
from finscribe_trainer.metrics.corpus import aggregate_scores
from finscribe_trainer.metrics.score import score_document
from finscribe_trainer.model.adapter import other_adapter, read_adapter_config
from finscribe_trainer.model.initial_adapter import (
    ADAPTER_FILES,
    promoted_adapter,
    read_run_manifest,
    verify_files,
)
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.storage import Storage
from finscribe_trainer.storage.manifest import Manifest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PromotedRun:
    """The run that `latest.json` names."""

    name: str
    uri: str
    """Its prefix in the bucket."""
    manifest: Manifest

    def fetch(self, prefix: str, names: Sequence[str], folder: Path, storage: Storage) -> None:
        """Download files below one of its prefixes, and verify them.

        Raises:
            UserError: ModelNotFound when one is missing or differs from the run's manifest.
        """
        location = f"{self.uri}/{prefix}"
        storage.fetch_objects(
            [(f"{location}/{name}", folder / name) for name in names], missing=FailureReason.ModelNotFound
        )
        verify_files(location, folder, {name: f"{prefix}/{name}" for name in names}, self.manifest)


def find_promoted_run(output_uri: str | None, storage: Storage) -> PromotedRun | None:
    """The run that `latest.json` below an output prefix names; None when there is no such file.

    Raises:
        UserError: ModelNotFound when it names none, or one that was deleted.
    """
    if output_uri is None:
        return None
    latest = f"{output_uri.rstrip('/')}/{LATEST_FILE}"
    adapter = promoted_adapter(latest, storage)
    if adapter is None:
        return None
    uri = adapter.rpartition("/")[0]
    manifest = read_run_manifest(uri, storage)
    if manifest is None:
        raise UserError(
            FailureReason.ModelNotFound,
            f"the run that {latest} names was deleted.",
            "Promote another run: `finscribe promote`.",
        )
    return PromotedRun(uri.rpartition("/")[2], uri, manifest)


def stored_answers(
    promoted: PromotedRun, data: DataInfo, settings: InferenceSettings, folder: Path, storage: Storage
) -> Results | None:
    """The answers in the results of the run, scored by the metrics of this version.

    Returns:
        None when it has no results of the same documents with the same settings.
    """
    try:
        promoted.fetch(EVALUATION_PREFIX, [TUNED_RESULTS], folder, storage)
        results = read_results(folder / TUNED_RESULTS)
        check_comparable((results.data, results.settings), (data, settings))
    except UserError as error:
        log.info("the results of the run %s can't be used: %s", promoted.name, error.message)
        return None
    scores = [score_document(record.gold, record.predicted) for record in results.documents]
    scored = [replace(record, score=score) for record, score in zip(results.documents, scores, strict=True)]
    return replace(results, summary=aggregate_scores(scores), documents=tuple(scored))


def new_answers(
    promoted: PromotedRun,
    tuned: LoadedModel,
    source: ModelSource,
    answer: Callable[[LoadedModel], Results],
    folder: Path,
    storage: Storage,
) -> Results:
    """The results of the run's adapter on the base model in memory.

    Args:
        promoted: the run.
        tuned: the base model with the tuned adapter, which is active again afterwards.
        source: the base model's source.
        answer: evaluates a model.
        folder: where to download the adapter to.
        storage: where to download it from.

    Raises:
        UserError: ModelNotFound for an incomplete adapter; ModelUnsupported for one of another base model.
    """
    assert isinstance(tuned.model, PeftModel)
    promoted.fetch(ADAPTER_PREFIX, ADAPTER_FILES, folder, storage)
    named = str(read_adapter_config(folder).get("base_model_name_or_path")).rstrip("/")
    if named != source.lasting_name.rstrip("/"):
        raise UserError(
            FailureReason.ModelUnsupported,
            f"its base model is {named}, not {source.lasting_name}.",
            "Compare with the base model, and promote the run yourself: `finscribe promote --force`.",
        )
    info = describe_model(source, f"{promoted.name} (promoted)", folder)
    log.info("evaluating the adapter of the run %s, which latest.json names", promoted.name)
    with other_adapter(tuned.model, folder, source):
        # Its features of a vision tower with an adapter would be other ones than those in the cache.
        return answer(replace(tuned, info=info, features=None))
