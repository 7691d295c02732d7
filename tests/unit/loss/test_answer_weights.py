import json
import logging
from types import SimpleNamespace

import pytest

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import LossSpec
from finscribe_trainer.batches.dataset import EncodedExamples, RowKey
from finscribe_trainer.loss.value_spans import find_spans_before_error, find_value_spans
from finscribe_trainer.loss.weights import TokenWeights, create_token_weights
from finscribe_trainer.model.batch import LOSS_WEIGHTS

INVOICE = json.dumps(
    {
        "vendor": {"name": 'Acme "7" Ltd', "address": {"zip": "0042"}},
        "invoice_number": "77",
        "line_items": [
            {"description": "3 lamps", "quantity": 8, "unit_price": "60.50", "bbox": [1, 2, 3, 4]}
        ],
        "financial_summary": {"tax_rate": 19, "grand_total": "575.96"},
        "metadata": {"pages": 5},
        "due_date": None,
    }
)
OTSL = "<fcel>Lamp <b>A<fcel>3<ecel><nl><lcel>x<nl>total 9"
HTML = '<table><tr><td colspan="2">Lamp</td><th>3</th></tr></table> total -1,204.50'

# settings, answer, and the weights of values other than 1
CASES = {
    "numbers of JSON, not of texts, boxes or metadata": (
        LossSpec(number_weight=2),
        INVOICE,
        {"8": 2, "60.50": 2, "19": 2, "575.96": 2},
    ),
    "cells of JSON": (LossSpec(table_cell_weight=3), INVOICE, {"3 lamps": 3, "8": 3, "60.50": 3}),
    "a field by its last part": (LossSpec(field_weights={"grand_total": 4}), INVOICE, {"575.96": 4}),
    "a field by its path": (LossSpec(field_weights={"line_items.quantity": 4}), INVOICE, {"8": 4}),
    "all below a field": (LossSpec(field_weights={"address": 0.5}), INVOICE, {"0042": 0.5}),
    "a part of a field's name does not match": (LossSpec(field_weights={"total": 4}), INVOICE, {}),
    "a region": (LossSpec(field_weights={"vendor_block": 4}), INVOICE, {'Acme \\"7\\" Ltd': 4, "0042": 4}),
    "a region of several fields": (
        LossSpec(field_weights={"client_invoice_info": 4}),
        INVOICE,
        {"77": 4, "null": 4},
    ),
    "the maximum weight applies": (
        LossSpec(number_weight=2, table_cell_weight=3, field_weights={"quantity": 1.5, "tax_rate": 5}),
        INVOICE,
        {"3 lamps": 3, "8": 3, "60.50": 3, "19": 5, "575.96": 2},
    ),
    "numbers of OTSL": (LossSpec(number_weight=2), OTSL, {"3": 2, "9": 2}),
    "cells of OTSL": (LossSpec(table_cell_weight=2), OTSL, {"Lamp <b>A": 2, "3": 2, "x": 2}),
    "numbers of HTML, not of its tags": (LossSpec(number_weight=2), HTML, {"3": 2, "-1,204.50": 2}),
    "cells of HTML": (LossSpec(table_cell_weight=2), HTML, {"Lamp": 2, "3": 2}),
    "dates of a text": (LossSpec(number_weight=2), "on 2024-05-01", {"2024": 2, "05": 2, "01": 2}),
    "fields need JSON": (LossSpec(field_weights={"total": 2}), "total: 5", {}),
}


def by_character(weights, answer):
    return weights.compute(answer, [(i, i + 1) for i in range(len(answer))])


@pytest.mark.parametrize("name", CASES)
def test_values_have_the_weights_of_the_settings(name):
    spec, answer, expected = CASES[name]
    found, position = {}, 0
    weights = by_character(TokenWeights(spec), answer)
    while position < len(answer):
        end = position + 1
        while end < len(answer) and weights[end] == weights[position]:
            end += 1
        if weights[position] != 1:
            found[answer[position:end]] = weights[position]
        position = end
    assert found == expected


@pytest.mark.parametrize(
    "answer", [INVOICE, json.dumps(json.loads(INVOICE), indent=2), " [1, [], {}, [true]] "]
)
def test_the_spans_of_json_values_contain_them(answer):
    def values(data):
        if isinstance(data, dict | list):
            for inner in data.values() if isinstance(data, dict) else data:
                yield from values(inner)
        else:
            yield json.dumps(data).strip('"')

    assert [answer[p.start : p.end] for p in find_value_spans(answer)] == list(values(json.loads(answer)))


def test_the_spans_before_an_error_are_those_of_the_valid_part():
    answer = '```json\n{"a": [1, {"b": "x"}], "c": "cut'
    spans = find_spans_before_error(answer)
    assert [(span.path, answer[span.start : span.end]) for span in spans] == [("a[0]", "1"), ("a[1].b", "x")]
    assert find_spans_before_error("no JSON") == find_spans_before_error("") == []


def test_a_token_has_the_maximum_weight_of_its_characters():
    weights = TokenWeights(LossSpec(number_weight=2))
    answer = '{"total": 12}'
    offsets = [(0, 8), (8, 10), (9, 11), (11, 13), (12, 13), (13, 13)]
    assert weights.compute(answer, offsets) == [1, 1, 2, 2, 1, 1]


def test_a_rows_loss_weights_are_those_of_its_answer(family, dataset):
    spec = LossSpec(number_weight=2)
    rows = EncodedExamples(dataset.examples, family, TokenWeights(spec))
    encoded = rows[RowKey(0, 0)]
    plain = EncodedExamples(dataset.examples, family)[RowKey(0, 0)]
    assert encoded.keys() - plain.keys() == {LOSS_WEIGHTS}
    weights, labels = encoded[LOSS_WEIGHTS], encoded["labels"]
    assert weights.shape == labels.shape
    assert not weights[labels == -100].any()
    heavy = family.tokenizer.convert_ids_to_tokens(labels[weights == 2])
    light = family.tokenizer.convert_ids_to_tokens(labels[weights == 1])
    assert heavy
    assert set("".join(heavy)) <= set("Ġ0123456789.")
    assert light[-1] == family.tokenizer.eos_token
    batch = family.collate([encoded, rows[RowKey(3, 0)]])
    assert batch[LOSS_WEIGHTS].shape == batch["labels"].shape
    assert not batch[LOSS_WEIGHTS][batch["labels"] == -100].any()


def test_settings_without_effect_cause_a_warning(family, caplog):
    spec = LossSpec(number_weight=2, table_cell_weight=2, field_weights={"grand_total": 2, "iban": 3})
    with caplog.at_level(logging.WARNING):
        create_token_weights(spec, family.tokenizer, ['{"grand_total": 5}'] * 3)
    assert [record.getMessage().split(" has ")[0] for record in caplog.records] == [
        "loss.field_weights.iban",
        "loss.table_cell_weight",
    ]


def test_a_tokenizer_without_offsets_is_rejected():
    with pytest.raises(UserError, match=r"loss\.number_weight") as caught:
        create_token_weights(LossSpec(number_weight=2), SimpleNamespace(is_fast=False), [])
    assert caught.value.reason is FailureReason.ModelUnsupported
    assert create_token_weights(LossSpec(use_focal=True), SimpleNamespace(is_fast=False), []) is None
