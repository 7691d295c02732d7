"""Lets a model read documents and scores its answers."""

from collections.abc import Mapping
from pathlib import Path

import torch
from tqdm import tqdm

from finscribe_trainer.batches.selection import refuse_reserved_tokens
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.evaluation.answers import KeptAnswers, fingerprint
from finscribe_trainer.evaluation.loading import LoadedModel
from finscribe_trainer.evaluation.reading import Answer, Reader, answer_limit
from finscribe_trainer.evaluation.results import Record, Results, Settings, Timing
from finscribe_trainer.evaluation.test_set import TestSet
from finscribe_trainer.metrics.corpus import summarise
from finscribe_trainer.metrics.score import DocumentScore, ceiling_gates, score_document
from finscribe_trainer.runtime.versions import package_versions


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
        kept = KeptAnswers(keep, fingerprint(loaded.info, test_set.info, settings))
    answers: dict[int, Answer] = dict(kept.answers) if kept else {}
    limit = settings.max_new_tokens
    reader = Reader(loaded.model, loaded.family, limit, batch_size, features=loaded.features)
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
