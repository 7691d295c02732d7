from dataclasses import replace

import pytest

from finscribe_core.errors import UserError
from finscribe_core.trainer_config import DocumentMetric
from finscribe_trainer.evaluation.compare import compare
from finscribe_trainer.evaluation.report.summary import caveats, summary_sentence
from tests.support.comparison import results_of, with_settings

GOLD = {"a": "1", "b": "2", "c": "3", "d": "4"}


def answers(*correct: int):
    """Answers with the given number of correct fields, of four, for each document."""
    return [(GOLD, dict(list(GOLD.items())[:count])) for count in correct]


def compared(base: list, tuned: list):
    return compare(results_of("base", base), results_of("tuned", tuned))


def test_documents_are_counted_and_ordered_by_their_change():
    comparison = compared(answers(4, 2, 1, 2, 0), answers(0, 1, 1, 3, 4))
    assert (comparison.improved, comparison.unchanged, comparison.regressed) == (2, 1, 2)
    assert [document.change for document in comparison.documents] == [-1, -0.25, 0, 0.25, 1]
    assert [r.base.where for r in comparison.most_regressed(9)] == ["test.jsonl:1", "test.jsonl:2"]


def test_of_equally_regressed_documents_the_one_with_the_lower_anls_comes_first():
    right, near, far = {"name": "Acme Limited"}, {"name": "Acme Limitad"}, {"name": "?"}
    comparison = compared([(right, right), (right, right)], [(right, near), (right, far)])
    assert [document.tuned.where for document in comparison.most_regressed(2)] == [
        "test.jsonl:2",
        "test.jsonl:1",
    ]


def test_fields_are_ordered_from_most_regressed_to_most_improved():
    comparison = compared([(GOLD, {"a": "1", "b": "2"})], [(GOLD, {"b": "2", "c": "3"})])
    assert [(pair.name, pair.change) for pair in comparison.fields] == [
        ("a", -1),
        ("b", 0),
        ("d", 0),
        ("c", 1),
    ]


def test_metrics_that_apply_to_no_document_are_omitted():
    comparison = compared([("some text", "some text")], [("some text", "other text")])
    names = {pair.name for pair in comparison.metrics}
    assert DocumentMetric.field_accuracy in names
    assert not names & {DocumentMetric.teds_score, DocumentMetric.parse_rate, DocumentMetric.numeric_accuracy}
    assert comparison.gates == ()


def test_a_metric_that_depends_on_the_answers_has_the_document_count_of_each_model():
    gold = {"total": "12"}
    comparison = compared([(gold, {}), (gold, gold)], [(gold, gold), (gold, gold)])
    assert {pair.name: pair.documents for pair in comparison.extra} == {
        "parse_rate_repaired": "2",
        "numeric_accuracy_1_percent": "2",
        "numeric_precision": "1 and 2",
    }


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda r: replace(r, data=replace(r.data, sha256="f" * 64)), "sha256"),
        (lambda r: replace(r, data=replace(r.data, documents=9)), "documents (2 and 9)"),
        (lambda r: with_settings(r, max_new_tokens=99), "max_new_tokens (512 and 99)"),
        (lambda r: with_settings(r, dtype="bfloat16"), "dtype (float32 and bfloat16)"),
    ],
    ids=["rows", "documents", "limit", "dtype"],
)
def test_results_of_different_rows_or_settings_are_rejected_naming_what_differs(change, named):
    results = results_of("model", answers(1, 2))
    with pytest.raises(UserError) as error:
        compare(results, change(results))
    assert named in error.value.message


@pytest.mark.parametrize(
    ("base", "tuned", "expected"),
    [
        (
            answers(*[0] * 12),
            answers(*[3] * 12),
            "Field accuracy: 75 % with the tuned model, 0 % with the base model. "
            "The difference is significant (p < 0.001, 12 documents).",
        ),
        (
            answers(4, 0, 4, 0, 4, 0, 0),
            answers(0, 4, 0, 4, 0, 4, 1),
            "Field accuracy: 46 % with the tuned model, 43 % with the base model. "
            "The difference is not significant (p = 1.000, 7 documents): it may be random variation.",
        ),
        (
            answers(1, 2, 3, 2, 2, 2),
            answers(2, 1, 2, 3, 2, 2),
            "Field accuracy: 50 % with the tuned model, 50 % with the base model. "
            "There is no difference (6 documents).",
        ),
        (
            answers(*[4] * 6),
            answers(*[1] * 6),
            "Field accuracy: 25 % with the tuned model, 100 % with the base model. "
            "The difference is significant (p = 0.031, 6 documents).",
        ),
        (
            answers(*[0] * 5),
            answers(*[4] * 5),
            "Field accuracy: 100 % with the tuned model, 0 % with the base model. "
            "5 documents are too few for a significance test.",
        ),
        (
            answers(0),
            answers(2),
            "Field accuracy: 50 % with the tuned model, 0 % with the base model. "
            "1 document is too few for a significance test.",
        ),
        ([({}, "{}")], [({}, "{}")], "No document has a field, so the models can't be compared."),
    ],
    ids=[
        "improved",
        "not significant",
        "no difference",
        "regressed",
        "too few",
        "one document",
        "no field",
    ],
)
def test_the_summary_has_the_primary_metric_and_its_significance(base, tuned, expected):
    assert summary_sentence(compared(base, tuned)) == expected


def test_a_metric_is_not_rounded_to_0_or_100():
    base, tuned = answers(*[0] * 250), answers(*[4] * 249, 3)
    assert "99.9 % with the tuned model, 0.0 % with the base" in summary_sentence(compared(base, tuned))


def test_caveats_name_what_affects_the_interpretation():
    base, tuned = results_of("base", [(GOLD, "Total: 12")] * 2), results_of("tuned", answers(4, 4))
    tuned = replace(
        tuned,
        versions={**tuned.versions, "transformers": "5.22.0"},
        documents=(replace(tuned.documents[0], cut_off=True), tuned.documents[1]),
    )
    expected = caveats(compare(base, tuned))
    assert [note for note in expected if "Only 0.0% of the base model's answers are strict JSON" in note]
    assert "1 of 2 answers of the tuned model were cut off after 512 tokens." in expected
    assert "The models were evaluated with different versions: transformers 5.21.0 and 5.22.0." in expected


def test_two_parsing_models_have_no_caveats_but_the_same_model_twice_has():
    assert caveats(compared(answers(4, 4), answers(4, 4))) == []
    same = results_of("model", answers(4))
    assert caveats(compare(same, same)) == ["Both results are of the same model."]
