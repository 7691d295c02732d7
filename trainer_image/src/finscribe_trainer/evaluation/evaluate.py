"""Evaluates a model on a test set: generates its answers and scores them."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.batches.selection import check_prompts
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.evaluation.confidence import document_confidence, field_confidences, is_document
from finscribe_trainer.evaluation.generation import Answer, AnswerGenerator, max_answer_tokens
from finscribe_trainer.evaluation.loading import LoadedModel, load_model
from finscribe_trainer.evaluation.partial_answers import PartialAnswers, fingerprint
from finscribe_trainer.evaluation.results import (
    DocumentResult,
    InferenceSettings,
    Results,
    Timing,
    read_results,
    write_results,
)
from finscribe_trainer.evaluation.test_set import TestSet, download_folder
from finscribe_trainer.metrics.answer_parsing import parse_answer
from finscribe_trainer.metrics.corpus import aggregate_scores
from finscribe_trainer.metrics.score import DocumentScore, ceiling_gates, score_document
from finscribe_trainer.runtime.outputs import claim_files
from finscribe_trainer.runtime.progress import progress
from finscribe_trainer.runtime.versions import package_versions
from finscribe_trainer.storage import Storage

log = logging.getLogger(__name__)


def evaluate(
    loaded: LoadedModel,
    test_set: TestSet,
    settings: InferenceSettings,
    batch_size: int,
    partial_path: Path | None = None,
    record_answer: Callable[[float], None] = lambda _: None,
) -> Results:
    """Generate an answer for every document of a test set, and score it.

    Shows a progress bar if stderr is a terminal.

    Args:
        loaded: the model in its current state; with its adapter disabled it is the base model.
        test_set: the documents.
        settings: see `inference_settings`.
        batch_size: documents per batch.
        partial_path: file for the answers so far; an interrupted evaluation resumes from it.
        record_answer: called with the seconds that each answer took.

    Raises:
        UserError: DatasetInvalid when the model can't take a prompt (`check_prompts`); GpuMemoryError when a
            batch of one document does not fit.
    """
    examples = test_set.examples
    check_prompts(examples, loaded.family)
    partial = None
    if partial_path is not None:
        partial = PartialAnswers(partial_path, fingerprint(loaded.info, test_set.info, settings))
    answers: dict[int, Answer] = dict(partial.answers) if partial else {}
    limit = settings.max_new_tokens
    generator = AnswerGenerator(
        loaded.model, loaded.family, limit, batch_size, features=loaded.features, score_tokens=True
    )
    try:
        missing = generator.generate(examples, done=frozenset(answers))
        for answer in progress(
            missing, "Evaluate", total=len(examples), completed=len(answers), unit="documents"
        ):
            answers[answer.index] = answer
            record_answer(answer.seconds)
            if partial:
                partial.add(answer)
    finally:
        if partial:
            partial.close()
    seconds = sum(answer.seconds for answer in answers.values())
    return _results(loaded, test_set, settings, answers, Timing(_device_name(loaded), batch_size, seconds))


def inference_settings(
    loaded: LoadedModel, test_set: TestSet, max_new_tokens: int | None = None
) -> InferenceSettings:
    """The inference settings for a test set; max_new_tokens by default from its ground truths."""
    limit = max_new_tokens or max_answer_tokens(loaded.family, test_set.examples)
    return InferenceSettings(limit, str(loaded.model.dtype).removeprefix("torch."))


def _results(
    loaded: LoadedModel,
    test_set: TestSet,
    settings: InferenceSettings,
    answers: Mapping[int, Answer],
    timing: Timing,
) -> Results:
    records = [_record(example, answers[index]) for index, example in enumerate(test_set.examples)]
    gold = [DocumentScore({}, {}, {}, ceiling_gates(record.gold), {}, {}) for record in records]
    return Results(
        model=loaded.info,
        data=test_set.info,
        settings=settings,
        summary=aggregate_scores([record.score for record in records]),
        ceiling=aggregate_scores(gold).gates,
        timing=timing,
        versions=package_versions(),
        documents=tuple(records),
    )


def _record(example: Example, answer: Answer) -> DocumentResult:
    gold, parsed = example.row.completion, parse_answer(answer.text)
    tokens = answer.scored_tokens
    confidence = document_confidence(parsed, tokens, cut_off=answer.cut_off, expects_json=is_document(gold))
    return DocumentResult(
        where=example.where,
        images=example.image_names,
        gold=gold,
        predicted=answer.text,
        tokens=answer.tokens,
        cut_off=answer.cut_off,
        seconds=answer.seconds,
        score=score_document(gold, answer.text),
        confidence=confidence,
        field_confidences=field_confidences(answer.text, parsed, tokens),
    )


def _device_name(loaded: LoadedModel) -> str:
    device = loaded.model.device
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def partial_answers_path(output: Path) -> Path:
    """The file for the answers so far, until results.json is written."""
    return output.with_name(f"{output.name}.partial.jsonl")


def evaluate_to_file(  # noqa: PLR0913 - one for each option
    output: Path,
    model: str,
    base_model: str | None,
    test_set: TestSet,
    batch_size: int,
    max_new_tokens: int | None,
    *,
    overwrite: bool = False,
) -> Results:
    """Evaluate a model on a test set and write results.json.

    An interrupted evaluation resumes; a complete one is returned without evaluating again.

    Args:
        output: results.json.
        model: an adapter's or a model's folder, an s3:// prefix, or a hub id.
        base_model: the adapter's base model, instead of the one in its adapter_config.json.
        test_set: the documents.
        batch_size: documents per batch.
        max_new_tokens: tokens after which an answer is cut off; by the ground truths when None.
        overwrite: whether results of another evaluation may be replaced.

    Raises:
        UserError: `output` can't be written or contains another evaluation; the model can't be loaded; the
            GPU memory is insufficient.
        RetryableError: the storage or the hub is unavailable, or another process evaluates to `output`.
    """
    with claim_files(output, overwrite=True):  # what is there may be of this evaluation
        storage = Storage.from_config(StorageEndpoint())
        earlier = (
            read_results(output) if output.exists() and not overwrite else None
        )  # before minutes of loading
        loaded = load_model(model, base_model, download_folder(output), storage)
        settings = inference_settings(loaded, test_set, max_new_tokens)
        if earlier is not None:
            _check_same_evaluation(output, earlier, loaded, test_set, settings)
            log.info("%s is complete: nothing to evaluate", output)
            return earlier
        partial_path = partial_answers_path(output)
        results = evaluate(loaded, test_set, settings, batch_size, partial_path)
        write_results(results, output)
        partial_path.unlink()
        return results


def _check_same_evaluation(
    output: Path, earlier: Results, loaded: LoadedModel, test_set: TestSet, settings: InferenceSettings
) -> None:
    """Check that an existing results file is of this evaluation: others are never overwritten.

    Raises:
        UserError: InvalidConfig when it is not.
    """
    was = fingerprint(earlier.model, earlier.data, earlier.settings)
    if was != fingerprint(loaded.info, test_set.info, settings):
        raise UserError(
            FailureReason.InvalidConfig,
            f"{output} contains another evaluation: {earlier.model.name} on {earlier.data.documents} "
            f"documents of {earlier.data.source}, or the files have changed since.",
            "Name another --output, or pass --overwrite.",
        )
