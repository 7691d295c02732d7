import json
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finscribe_core.trainer_config import DocumentMetric as M
from finscribe_trainer.metrics import alignment, anls, nted
from finscribe_trainer.metrics.score import DocumentScore, score_document
from tests.reference.random_answers import random_pairs
from tests.support.documents import invoice


def metric_value(gold, predicted, metric):
    texts = [value if isinstance(value, str) else json.dumps(value) for value in (gold, predicted)]
    return score_document(*texts).metrics[metric].value


SCORES = {
    "case counts": (M.field_accuracy, {"a": "x"}, {"a": "X"}, 0),
    "white space does not": (M.field_accuracy, {"a": "x  y "}, {"a": "x y"}, 1),
    "nor do forms of a letter": (M.field_accuracy, {"a": "ﬁ１"}, {"a": "fi1"}, 1),
    "a number is a number": (M.field_accuracy, {"a": 12.5}, {"a": "12.50"}, 1),
    "an exponent, too": (M.field_accuracy, {"a": 100}, {"a": 1e2}, 1),
    "a leading zero of a zip counts": (M.field_accuracy, {"zip": "0420"}, {"zip": "420"}, 0),
    "a trailing zero of a number in a text field": (M.field_accuracy, {"sku": "1.10"}, {"sku": "1.1"}, 0),
    "missing is wrong": (M.field_accuracy, {"a": "x", "b": "y"}, {"a": "x"}, 0.5),
    "extra is not": (M.field_accuracy, {"a": "x"}, {"a": "x", "b": "y"}, 1),
    "extra lowers F1": (M.field_f1, {"a": "x"}, {"a": "x", "b": "y"}, 2 / 3),
    "null is absent": (M.field_accuracy, {"a": "x", "b": None}, {"a": "x", "b": "y"}, 1),
    "zero is not": (M.field_accuracy, {"a": 0}, {}, 0),
    "bbox is never scored": (M.field_accuracy, {"a": [{"b": "x", "bbox": [1, 2]}]}, {"a": [{"b": "x"}]}, 1),
    "metadata neither": (M.field_accuracy, {"a": "x", "metadata": {"k": "v"}}, {"a": "x"}, 1),
    "a missing item shifts nothing": (M.field_accuracy, {"a": list("abcd")}, {"a": list("acd")}, 3 / 4),
    "items may not cross": (M.field_accuracy, {"a": ["x", "y"]}, {"a": ["y", "x"]}, 1 / 2),
    "ANLS* lets them": (M.anls_star, {"a": ["x", "y"]}, {"a": ["y", "x"]}, 1),
    "ANLS* of a misspelt text": (M.anls_star, {"a": "abcd"}, {"a": "abcx"}, 3 / 4),
    "ANLS* below the threshold": (M.anls_star, {"a": "abcd"}, {"a": "axyz"}, 0),
    "an edit of nTED": (M.nted, {"a": "abc"}, {"a": "abx"}, 3 / 4),
    "numbers as printed": (M.numeric_accuracy, {"subtotal": "1204.50"}, {"subtotal": "1.204,50 €"}, 1),
    "half a cent": (M.numeric_accuracy, {"subtotal": "1"}, {"subtotal": "1.005"}, 1),
    "more than half a cent": (M.numeric_accuracy, {"subtotal": "1"}, {"subtotal": "1.006"}, 0),
    "a missing number is wrong": (M.numeric_accuracy, {"subtotal": 1, "discount": 2}, {"discount": 2}, 0.5),
    "N/A is no number": (M.numeric_accuracy, {"note": "N/A"}, {}, None),
    "nor is a zip": (M.numeric_accuracy, {"zip": "12345"}, {}, None),
    "an unknown field's amount is": (M.numeric_accuracy, {"deposit": "12,50 €"}, {"deposit": "12.5"}, 1),
    "strict JSON": (M.parse_rate, {"a": 1}, '{"a": 1}', 1),
    "a fence is not strict": (M.parse_rate, {"a": 1}, '```json\n{"a": 1}\n```', 0),
    "NaN is not strict": (M.parse_rate, {"a": 1}, '{"a": NaN}', 0),
    "a fenced answer's values count": (M.field_accuracy, {"a": 1}, '```json\n{"a": 1}\n```', 1),
    "a cut-off answer's values count": (M.field_accuracy, {"a": "x", "b": "y"}, '{"a": "x", "b"', 0.5),
    "plain text is one field": (M.field_accuracy, "Total 5", " Total  5", 1),
    "plain text may look like JSON": (M.field_accuracy, "Total 5", '{"a": 1}', 0),
    "a text has no parse rate": (M.parse_rate, "Total 5", "{}", None),
    "an OTSL table has TEDS": (M.teds_score, "<fcel>a<fcel>b<nl>", "<fcel>a<fcel>c<nl>", 2 / 3),
    "an HTML table has it": (M.teds_score, "<table><tr><td>a</table>", "<table><td>a</table>", 1),
    "a plain text has not": (M.teds_score, "Total 5", "Total 5", None),
    "a document without lines has not": (M.teds_score, {"a": "x"}, {"a": "x"}, None),
}  # fmt: skip


@pytest.mark.parametrize(("metric", "gold", "predicted", "value"), SCORES.values(), ids=SCORES)
def test_a_metric_is(metric, gold, predicted, value):
    assert metric_value(gold, predicted, metric) == (value if value is None else pytest.approx(value))


def changed(path, value):
    """The invoice's text with one value changed, or removed (None)."""
    document = json.loads(invoice())
    *parents, last = path
    part = document
    for key in parents:
        part = part[key]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return json.dumps(document)


GATES = {
    "right": (invoice(), [True, True, True, True]),
    "not strict": (invoice() + ".", [False, False, False, False]),
    "a required field is missing": (changed(["invoice_number"], None), [True, False, False, False]),
    "a date is none": (changed(["issue_date"], "2024-02-30"), [True, False, False, False]),
    "a sum is wrong": (changed(["financial_summary", "subtotal"], "1.00"), [True, True, False, False]),
    "a sum is missing": (changed(["financial_summary", "subtotal"], None), [True, True, True, False]),
}


@pytest.mark.parametrize(("answer", "passed"), GATES.values(), ids=GATES)
def test_an_answer_fails_its_gate_and_all_later_ones(answer, passed):
    score = score_document(invoice(), answer)
    assert list(score.gates.values()) == passed
    assert score.metrics[M.validation_pass_rate].value == all(passed)


def test_a_document_of_another_schema_has_only_the_json_gate():
    score = score_document('{"total": 1}', '{"total": 1}')
    assert score.gates == {"json": True, "schema": None, "arithmetic": None, "required": None}
    assert score.metrics[M.validation_pass_rate].value is None


def test_fields_and_regions_have_scores_of_their_own():
    wrong = json.loads(invoice(2))
    wrong["line_items"][1]["quantity"] = "7"
    score = score_document(invoice(2), json.dumps(wrong))
    assert score.fields["line_items.quantity"] == (1, 2)
    assert score.fields["line_items.unit_price"] == (2, 2)
    assert score.regions["line_items"] == (7, 8)
    assert score.regions["vendor"] == (3, 3)


def test_extra_numbers_lower_precision_alone():
    score = score_document('{"subtotal": 100}', '{"subtotal": "100.5", "shipping": 3}')
    assert score.extra["numeric_accuracy_1_percent"].value == 1
    assert score.extra["numeric_precision"] == (0, 2)
    assert score.metrics[M.numeric_accuracy].value == 0


def test_a_score_survives_json():
    score = score_document(invoice(), invoice(2))
    assert DocumentScore.from_json(json.loads(json.dumps(score.to_json()))) == score


@pytest.mark.parametrize("data", [None, {}, {"metrics": {"nonsense": [1, 1]}}, {"metrics": 1}])
def test_invalid_scores_are_rejected(data):
    with pytest.raises(ValueError, match="is not a document's score"):
        DocumentScore.from_json(data)


HOSTILE = {
    "empty": "",
    "a huge number": invoice().replace('"12.55"', "1e999999"),
    "too many digits": invoice().replace('"12.55"', "9" * 5000),
    "NaN": invoice().replace('"12.55"', "NaN"),
    "half a character": invoice().replace("Acme", "\\ud800"),
    "half a character, raw": invoice().replace("Acme", "\ud800"),
    "half a character in a key": invoice().replace('"vendor"', '"\\ud800"'),
    "a zero character": invoice().replace("Acme", "\\u0000"),
    "30,000 items": json.dumps({"line_items": list(range(30_000))}),
    "10,000 lines": json.dumps({"line_items": [{"quantity": "1"}] * 10_000}),
    "deep lists": "[" * 900 + "]" * 900,
    "deep lists without end": "[" * 100_000,
    "deep objects without end": '{"a":' * 20_000,
    "objects that never close": "{'" * 45_000,
    "a long text": json.dumps({"vendor": {"name": "x" * 900_000}}),
    "longer than is read": "x" * 5_000_000,
    "quotes": '"' * 100_000,
    "another kind": "[1, 2]",
    "a line for an object": json.dumps({"vendor": ["x"], "line_items": {"quantity": 1}}),
}


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.timeout(30)
def test_any_answer_is_scored(answer):
    score = score_document(invoice(), answer)
    assert all(0 <= ratio.value <= 1 for ratio in score.metrics.values())
    json.dumps(score.to_json()).encode()


def test_a_ground_truth_with_an_unpaired_surrogate_in_a_key_is_scored():
    score = score_document('{"\\ud800": "x"}', '{"\\ud800": "x"}')
    assert score.fields == {"\\ud800": (1, 1)}


texts = st.text(st.characters(codec="utf-8"), max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
documents = st.dictionaries(texts, values, min_size=1, max_size=4)
property_test = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@property_test
@given(documents)
def test_the_ground_truth_scores_one_in_every_metric_that_applies(document):
    score = score_document(json.dumps(document), json.dumps(document))
    assert {ratio.value for ratio in score.metrics.values()} <= {1.0, None}


@property_test
@given(documents, documents | st.text())
def test_metrics_are_between_zero_and_one(gold, predicted):
    score = score_document(
        json.dumps(gold), predicted if isinstance(predicted, str) else json.dumps(predicted)
    )
    values = [ratio.value for ratio in [*score.metrics.values(), *score.fields.values()] if ratio.denominator]
    assert all(0 <= value <= 1 for value in values)


@property_test
@given(documents, documents)
def test_f1_is_symmetric(one, other):
    assert metric_value(one, other, M.field_f1) == metric_value(other, one, M.field_f1)


ALL_BUT_STRUCTURE = (M.field_accuracy, M.field_f1, M.nted, M.anls_star, M.teds_score, M.numeric_accuracy)


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(5)))
def test_each_additional_error_lowers_every_metric(order):
    gold = {"line_items": [{"description": f"article {i}", "quantity": i + 1} for i in range(5)]}
    wrong = json.loads(json.dumps(gold))
    before = dict.fromkeys(ALL_BUT_STRUCTURE, 1.0)
    for index in order:
        wrong["line_items"][index] = {"description": "#", "quantity": 900 + index}
        after = {metric: metric_value(gold, wrong, metric) for metric in before}
        assert all(after[metric] < before[metric] for metric in before)
        before = after


CAPS = (
    (alignment, "MAX_ITEM_PAIRS"),
    (anls, "MAX_ITEM_PAIRS"),
    (anls, "MAX_LIST_PAIRS"),
    (nted, "MAX_STEPS"),
    (nted, "MAX_CHARACTER_PAIRS"),
)


@pytest.mark.parametrize(("module", "cap"), CAPS)
def test_beyond_a_limit_no_metric_exceeds_its_exact_value(module, cap, monkeypatch):
    pairs = list(random_pairs(Random(3), 60))
    exact = [score_document(json.dumps(gold), json.dumps(read)).metrics for gold, read in pairs]
    monkeypatch.setattr(module, cap, 0)
    capped = [score_document(json.dumps(gold), json.dumps(read)).metrics for gold, read in pairs]
    limited = (M.field_accuracy, M.nted, M.anls_star)
    differences = [
        one[metric].value - other[metric].value
        for one, other in zip(exact, capped, strict=True)
        for metric in limited
    ]
    assert min(differences) >= -1e-9
    assert max(differences) > 0.01
