"""Builds evaluation results from given answers, scored by the real metrics."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from finscribe_trainer.evaluation.results import (
    DataInfo,
    DocumentResult,
    InferenceSettings,
    ModelInfo,
    Results,
    Timing,
)
from finscribe_trainer.metrics.corpus import aggregate_scores
from finscribe_trainer.metrics.score import score_document


def results_of(name: str, answers: Sequence[tuple[Any, Any]], images: Sequence[str] = ()) -> Results:
    """Results of a model with the given answers.

    Args:
        name: the model's name.
        answers: (ground truth, the model's answer) for each document, as text or as JSON data.
        images: the page of each document, if any.
    """
    records = []
    for number, (gold, predicted) in enumerate(answers):
        texts = [one if isinstance(one, str) else json.dumps(one) for one in (gold, predicted)]
        pages = (str(images[number]),) if images else ()
        score = score_document(*texts)
        records.append(DocumentResult(f"test.jsonl:{number + 1}", pages, *texts, 40, False, 0.5, score))
    summary = aggregate_scores([record.score for record in records])
    perfect = aggregate_scores([score_document(record.gold, record.gold) for record in records])
    return Results(
        ModelInfo(name, None, None, fingerprint=name),
        DataInfo("test.jsonl", "0" * 64, len(records), len(records)),
        InferenceSettings(512, "float32"),
        summary,
        perfect.gates,
        Timing("cpu", 8, 12.0),
        {"transformers": "5.21.0", "python": "3.11.9"},
        tuple(records),
    )


def with_settings(results: Results, **changes: Any) -> Results:
    """The same results with other inference settings."""
    return replace(results, settings=replace(results.settings, **changes))
