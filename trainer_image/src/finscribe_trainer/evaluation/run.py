"""`finscribe evaluate` from its options to results.json."""

import logging
from pathlib import Path

import torch

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.evaluation.answers import fingerprint
from finscribe_trainer.evaluation.evaluate import evaluate, settings_for
from finscribe_trainer.evaluation.loading import LoadedModel, load_model
from finscribe_trainer.evaluation.outputs import check_writable
from finscribe_trainer.evaluation.results import Results, Settings, read_results, write_results
from finscribe_trainer.evaluation.test_set import TestSet, inputs_folder
from finscribe_trainer.storage import Storage

log = logging.getLogger(__name__)


def kept_answers(output: Path) -> Path:
    """The file that keeps answers until results.json is written."""
    return output.with_name(f"{output.name}.partial.jsonl")


def evaluate_into(
    output: Path,
    model: str,
    base_model: str | None,
    test_set: TestSet,
    batch_size: int,
    max_new_tokens: int | None,
) -> Results:
    """Read a test set with a model and write results.json.

    A reading that was cut off goes on; one that is complete is not done again.

    Args:
        output: results.json.
        model: an adapter's or a model's folder, an s3:// prefix, or a hub id.
        base_model: the adapter's base, instead of the one it names.
        test_set: what to read.
        batch_size: documents read at once.
        max_new_tokens: tokens after which an answer is cut off; by the right answers when None.

    Raises:
        UserError: `output` can't be written or holds another evaluation; a model that can't be loaded; too
            little GPU memory.
        RetryableError: the storage or the hub does not answer.
    """
    check_writable(output)
    storage = Storage.from_config(StorageEndpoint())
    earlier = read_results(output) if output.exists() else None  # said before minutes of loading
    loaded = load_model(model, base_model, inputs_folder(output), storage)
    settings = settings_for(loaded, test_set, max_new_tokens)
    if earlier is not None:
        _refuse_another(output, earlier, loaded, test_set, settings)
        log.info("%s is complete: nothing is left to read", output)
        return earlier
    kept = kept_answers(output)
    try:
        results = evaluate(loaded, test_set, settings, batch_size, keep=kept)
    except torch.OutOfMemoryError as error:
        raise UserError(
            FailureReason.InvalidConfig,
            f"The GPU's memory does not suffice for {batch_size} documents at once.",
            "Lower --batch-size; what was read so far is kept.",
        ) from error
    write_results(results, output)
    kept.unlink()
    return results


def _refuse_another(
    output: Path, earlier: Results, loaded: LoadedModel, test_set: TestSet, settings: Settings
) -> None:
    """Hours of reading are not written over.

    Raises:
        UserError: InvalidConfig.
    """
    was = fingerprint(earlier.model, earlier.data, earlier.settings)
    if was != fingerprint(loaded.info, test_set.info, settings):
        raise UserError(
            FailureReason.InvalidConfig,
            f"{output} holds another evaluation: {earlier.model.name} on {earlier.data.documents} documents "
            f"of {earlier.data.source}, or the files have changed since.",
            "Name another --output, or remove this one.",
        )
