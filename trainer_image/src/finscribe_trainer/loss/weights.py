"""What each token of an answer counts, as the settings of the loss say."""

import logging
from collections.abc import Iterable, Iterator

import numpy as np
from transformers import PreTrainedTokenizerBase

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import LossSpec
from finscribe_trainer.loss.answer_parts import Part, answer_parts

log = logging.getLogger(__name__)

_REGIONS = {
    "vendor_block": ("vendor",),
    "client_invoice_info": (
        "client",
        "invoice_number",
        "issue_date",
        "due_date",
        "po_number",
        "payment_terms",
    ),
    "line_item_table": ("line_items",),
    "tax_section": ("financial_summary.tax_rate", "financial_summary.tax_amount"),
}
"""Regions of a page, as other configurations name them, and the fields they show."""


class AnswerWeights:
    """Weights of tokens: the greatest of those whose value a token has a character of, else 1."""

    def __init__(self, spec: LossSpec) -> None:
        fields = {f"loss.field_weights.{key}": weight for key, weight in spec.field_weights.items()}
        general = {
            "loss.number_weight": spec.number_weight,
            "loss.table_cell_weight": spec.table_cell_weight,
        }
        self.weights = {**fields, **{name: weight for name, weight in general.items() if weight != 1}}
        """By the setting's name."""
        self._paths = {
            f"loss.field_weights.{key}": [f".{path}." for path in (key, *_REGIONS.get(key, ()))]
            for key in spec.field_weights
        }

    def of_tokens(self, answer: str, offsets: Iterable[tuple[int, int]]) -> list[float]:
        """The weight of each token.

        Args:
            answer: the text.
            offsets: each token's first character, and the one after its last.
        """
        marked = np.zeros(len(answer), dtype=np.float32)  # 0: no weight applies
        for part in answer_parts(answer):
            if weights := [self.weights[name] for name in self._settings(part)]:
                span = marked[part.start : part.end]
                np.maximum(span, max(weights), out=span)
        return [float(marked[start:end].max(initial=0.0)) or 1.0 for start, end in offsets]

    def warn_of_idle(self, answers: Iterable[str]) -> None:
        """Say which settings apply to nothing in any of the answers."""
        idle = set(self.weights)
        for answer in answers:
            if not idle:
                return
            idle.difference_update(*(self._settings(part) for part in answer_parts(answer)))
        for name in self.weights:
            if name in idle:
                log.warning("%s has no effect: no answer of the training rows holds such a value", name)

    def _settings(self, part: Part) -> Iterator[str]:
        """The settings that apply to a value."""
        if part.is_number and "loss.number_weight" in self.weights:
            yield "loss.number_weight"
        if part.is_cell and "loss.table_cell_weight" in self.weights:
            yield "loss.table_cell_weight"
        path = f".{part.path}."
        for name, wanted in self._paths.items():
            if any(each in path for each in wanted):
                yield name


def choose_weights(
    spec: LossSpec, tokenizer: PreTrainedTokenizerBase, answers: Iterable[str]
) -> AnswerWeights | None:
    """The weights that a training needs; None when all tokens weigh 1. Settings without effect are said.

    Raises:
        UserError: ModelUnsupported when the tokenizer can't say which characters a token is.
    """
    if not spec.weighted:
        return None
    if not tokenizer.is_fast:
        raise UserError(
            FailureReason.ModelUnsupported,
            "loss.number_weight, table_cell_weight and field_weights need to know which characters a token "
            "is, which this model's tokenizer can't say.",
            "Remove them, or use a model whose repository holds tokenizer.json.",
        )
    weights = AnswerWeights(spec)
    weights.warn_of_idle(answers)
    return weights
