"""Computes the loss weights of answer tokens from number_weight, table_cell_weight and field_weights."""

import logging
from collections.abc import Iterable, Iterator

import numpy as np
from transformers import PreTrainedTokenizerBase

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import LossSpec
from finscribe_trainer.loss.value_spans import ValueSpan, find_value_spans

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
"""Keys of loss.field_weights that name a region of the page, and the fields in it."""


class TokenWeights:
    """Weights of tokens: the maximum over the values that a token overlaps, else 1."""

    def __init__(self, spec: LossSpec) -> None:
        fields = {f"loss.field_weights.{key}": weight for key, weight in spec.field_weights.items()}
        general = {
            "loss.number_weight": spec.number_weight,
            "loss.table_cell_weight": spec.table_cell_weight,
        }
        self.weights = {**fields, **{name: weight for name, weight in general.items() if weight != 1}}
        """Weight by the name of its setting."""
        self._paths = {
            f"loss.field_weights.{key}": [f".{path}." for path in (key, *_REGIONS.get(key, ()))]
            for key in spec.field_weights
        }

    def compute(self, answer: str, offsets: Iterable[tuple[int, int]]) -> list[float]:
        """The weight of each token.

        Args:
            answer: the text.
            offsets: character span (start, end) of each token.
        """
        by_character = np.zeros(len(answer), dtype=np.float32)  # 0: no weight applies
        for value in find_value_spans(answer):
            if weights := [self.weights[name] for name in self._settings(value)]:
                span = by_character[value.start : value.end]
                np.maximum(span, max(weights), out=span)
        return [float(by_character[start:end].max(initial=0.0)) or 1.0 for start, end in offsets]

    def warn_about_unused(self, answers: Iterable[str]) -> None:
        """Warn about settings that apply to no value of any answer."""
        unused = set(self.weights)
        for answer in answers:
            if not unused:
                return
            unused.difference_update(*(self._settings(value) for value in find_value_spans(answer)))
        for name in self.weights:
            if name in unused:
                log.warning("%s has no effect: no answer of the training rows contains such a value", name)

    def _settings(self, value: ValueSpan) -> Iterator[str]:
        """The settings that apply to a value."""
        if value.is_number and "loss.number_weight" in self.weights:
            yield "loss.number_weight"
        if value.is_cell and "loss.table_cell_weight" in self.weights:
            yield "loss.table_cell_weight"
        path = f".{value.field}."
        for name, wanted in self._paths.items():
            if any(each in path for each in wanted):
                yield name


def create_token_weights(
    spec: LossSpec, tokenizer: PreTrainedTokenizerBase, answers: Iterable[str]
) -> TokenWeights | None:
    """The token weights by the settings; None when all are 1. Warns about settings without effect.

    Args:
        spec: the settings of the loss.
        tokenizer: must be a fast one.
        answers: the answers of the training rows.

    Raises:
        UserError: ModelUnsupported when the tokenizer has no character offsets.
    """
    if not spec.weighted:
        return None
    if not tokenizer.is_fast:
        raise UserError(
            FailureReason.ModelUnsupported,
            "loss.number_weight, table_cell_weight and field_weights need the character offsets of tokens, "
            "which this model's slow tokenizer does not provide.",
            "Remove them, or use a model whose repository contains tokenizer.json.",
        )
    weights = TokenWeights(spec)
    weights.warn_about_unused(answers)
    return weights
