"""Chooses the documents that a report shows: the most regressed, and the best, typical and worst."""

from dataclasses import dataclass

from finscribe_core.trainer_config import DocumentMetric
from finscribe_trainer.evaluation.compare import Comparison, DocumentComparison

SHOWN_REGRESSED = 5
_SHOWN_OF_A_KIND = 2


@dataclass(frozen=True)
class ShownDocument:
    """A document of the report, with the reason for showing it."""

    kind: str
    """regressed, best, typical or worst."""
    document: DocumentComparison


def shown_documents(comparison: Comparison) -> list[tuple[str, list[ShownDocument]]]:
    """The documents to show, by the title of their section; each document once, no empty section.

    Best, typical and worst are by the tuned model's field accuracy, then by its ANLS*, which counts near
    misses in part. Typical documents are those around the median.
    """
    regressed = comparison.most_regressed(SHOWN_REGRESSED)
    others = [shown for shown in _best_typical_worst(comparison) if shown.document not in regressed]
    sections = [
        ("Most regressed documents", [ShownDocument("regressed", document) for document in regressed]),
        ("Best, typical and worst answers of the tuned model", others),
    ]
    return [(title, shown) for title, shown in sections if shown]


def _best_typical_worst(comparison: Comparison) -> list[ShownDocument]:
    documents = sorted(comparison.documents, key=_by_tuned_answer, reverse=True)
    count = _SHOWN_OF_A_KIND if len(documents) >= 3 * _SHOWN_OF_A_KIND else 1
    last = len(documents) - count
    kinds: dict[int, str] = {}
    # Of one or two documents, the first kind in this order is named.
    for kind, start in (("typical", last // 2), ("best", 0), ("worst", last)):
        for place in range(max(start, 0), min(start + count, len(documents))):
            kinds.setdefault(place, kind)
    return [ShownDocument(kinds[place], documents[place]) for place in sorted(kinds)]


def _by_tuned_answer(document: DocumentComparison) -> tuple[float, float]:
    likeness = document.tuned.score.metrics[DocumentMetric.anls_star].value
    return document.tuned_accuracy, likeness or 0.0
