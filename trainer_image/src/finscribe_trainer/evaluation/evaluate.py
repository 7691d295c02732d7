"""Lets a model read documents and scores its answers."""

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from tqdm import tqdm

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.batches.selection import refuse_reserved_tokens
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.evaluation.generation import Answer, AnswerGenerator, answer_limit
from finscribe_trainer.evaluation.loading import LoadedModel, load_model
from finscribe_trainer.evaluation.partial_answers import PartialAnswers, fingerprint
from finscribe_trainer.evaluation.results import (
    Record,
    Results,
    Settings,
    Timing,
    read_results,
    write_results,
)
from finscribe_trainer.evaluation.test_set import TestSet, inputs_folder
from finscribe_trainer.metrics.corpus import summarise
from finscribe_trainer.metrics.score import DocumentScore, ceiling_gates, score_document
from finscribe_trainer.runtime.files import check_writable
from finscribe_trainer.runtime.versions import package_versions
from finscribe_trainer.storage import Storage

log = logging.getLogger(__name__)


def evaluate(
    loaded: LoadedModel,
    test_set: TestSet,
    settings: Settings,
    batch_size: int,
    keep: Path | None = None,
) -> Results:
    """Read every document of a test set and score the answers.

    A bar shows the progress where stderr is a terminal.

    Args:
        loaded: the model as it stands: with an adapter switched off it reads as its base.
        test_set: what to read.
        settings: see `settings_for`.
        batch_size: documents read at once.
        keep: file that keeps answers until all are there; a reading that was cut off goes on from it.

    Raises:
        UserError: DatasetInvalid when a prompt holds a token that is the model's own.
    """
    examples = test_set.examples
    refuse_reserved_tokens(examples, loaded.family)
    kept = None
    if keep is not None:
        kept = PartialAnswers(keep, fingerprint(loaded.info, test_set.info, settings))
    answers: dict[int, Answer] = dict(kept.answers) if kept else {}
    limit = settings.max_new_tokens
    reader = AnswerGenerator(loaded.model, loaded.family, limit, batch_size, features=loaded.features)
    try:
        with tqdm(total=len(examples), initial=len(answers), unit="document", disable=None) as bar:
            for answer in reader.read(examples, done=frozenset(answers)):
                answers[answer.index] = answer
                if kept:
                    kept.add(answer)
                bar.update()
    finally:
        if kept:
            kept.close()
    seconds = sum(answer.seconds for answer in answers.values())
    return _results(loaded, test_set, settings, answers, Timing(_device_name(loaded), batch_size, seconds))


def settings_for(loaded: LoadedModel, test_set: TestSet, max_new_tokens: int | None = None) -> Settings:
    """The settings to read a test set with; the limit by its right answers unless it is given."""
    limit = max_new_tokens or answer_limit(loaded.family, test_set.examples)
    return Settings(limit, str(loaded.model.dtype).removeprefix("torch."))


def _results(
    loaded: LoadedModel,
    test_set: TestSet,
    settings: Settings,
    answers: Mapping[int, Answer],
    timing: Timing,
) -> Results:
    records = [_record(example, answers[index]) for index, example in enumerate(test_set.examples)]
    gold = [DocumentScore({}, {}, {}, ceiling_gates(record.gold), {}) for record in records]
    return Results(
        model=loaded.info,
        data=test_set.info,
        settings=settings,
        summary=summarise([record.score for record in records]),
        ceiling=summarise(gold).gates,
        timing=timing,
        versions=package_versions(),
        documents=tuple(records),
    )


def _record(example: Example, answer: Answer) -> Record:
    gold = example.row.completion
    return Record(
        where=example.where,
        images=tuple(str(path) for path in example.images),
        gold=gold,
        predicted=answer.text,
        tokens=answer.tokens,
        cut_off=answer.cut_off,
        seconds=answer.seconds,
        score=score_document(gold, answer.text),
    )


def _device_name(loaded: LoadedModel) -> str:
    device = loaded.model.device
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


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
    results = evaluate(loaded, test_set, settings, batch_size, keep=kept)
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
