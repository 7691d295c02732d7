"""What a page shows of a document: its values side by side, its boxes, and the filters that it fits."""

from collections.abc import Sequence
from dataclasses import dataclass

from finscribe_trainer.evaluation.compare import DocumentComparison
from finscribe_trainer.evaluation.report.boxes import Box, boxes_of_answer
from finscribe_trainer.evaluation.report.side_by_side import Leaf, SideBySide, side_by_side
from finscribe_trainer.metrics.answer_parsing import parse_answer

SHOWN_LEAVES = 60
"""A document with more values is shown with those that at least one model got wrong."""
FILTERS = {
    "improved": "Improved",
    "unchanged": "Unchanged",
    "regressed": "Regressed",
    "imperfect": "Not perfect",
    "no-json": "No JSON",
    "cut-off": "Cut off",
}
"""Filters of documents with their labels; all but the first three are about the tuned model's answer."""
OTHER_TYPE = "other"


@dataclass(frozen=True)
class ShownBox:
    """A box with whether the tuned model's values in it are correct; None if it has none."""

    box: Box
    correct: bool | None


@dataclass(frozen=True)
class DocumentView:
    """A document with what a page shows of it."""

    document: DocumentComparison
    compared: SideBySide
    leaves: list[Leaf]
    """All leaves, or those that at least one model got wrong, up to a limit."""
    unshown: int
    """Number of wrong leaves beyond the limit."""
    boxes: list[ShownBox]
    """On its first page."""
    document_type: str
    """`document_type` of the ground truth, or `other`."""
    filters: tuple[str, ...]
    """Keys of FILTERS."""


def view_document(document: DocumentComparison, boxes: Sequence[Box] = ()) -> DocumentView:
    """The view of a document.

    Args:
        document: base and tuned model's answers.
        boxes: those of its row; those in its ground truth when empty.
    """
    compared = side_by_side(document)
    wrong = [leaf for leaf in compared.leaves if leaf.differs]
    all_fit = len(compared.leaves) <= SHOWN_LEAVES
    return DocumentView(
        document,
        compared,
        list(compared.leaves) if all_fit else wrong[:SHOWN_LEAVES],
        0 if all_fit else max(0, len(wrong) - SHOWN_LEAVES),
        [_judged(box, compared.leaves) for box in boxes or boxes_of_answer(document.base.gold)],
        document_type_of(document),
        filters_of(document),
    )


def filters_of(document: DocumentComparison) -> tuple[str, ...]:
    """The filters that a document fits."""
    change, tuned = document.change, document.tuned
    flags = {
        "improved": change > 0,
        "unchanged": change == 0,
        "regressed": change < 0,
        "imperfect": document.tuned_accuracy < 1,
        "no-json": not parse_answer(tuned.predicted).readable,
        "cut-off": tuned.cut_off,
    }
    return tuple(name for name, fits in flags.items() if fits)


def document_type_of(document: DocumentComparison) -> str:
    """The kind of document that its ground truth names."""
    gold = parse_answer(document.base.gold)
    found = gold.raw.get("document_type") if gold.strict and isinstance(gold.raw, dict) else None
    return found if isinstance(found, str) and 0 < len(found) <= 40 else OTHER_TYPE


def _judged(box: Box, leaves: Sequence[Leaf]) -> ShownBox:
    """A box of a line item stands for all of its values."""
    inside = [
        leaf
        for leaf in leaves
        if leaf.path == box.path or leaf.path.startswith((f"{box.path}.", f"{box.path}["))
    ]
    return ShownBox(box, all(leaf.tuned_correct for leaf in inside) if inside else None)
