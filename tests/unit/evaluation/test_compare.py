from dataclasses import replace

import pytest

from finscribe_core.errors import UserError
from finscribe_core.trainer_config import DocumentMetric
from finscribe_trainer.evaluation.compare import compare
from finscribe_trainer.evaluation.report.headline import headline, notes
from tests.support.comparison import results_of, with_settings

GOLD = {"a": "1", "b": "2", "c": "3", "d": "4"}


def reads(*right: int):
    """A model that reads so many of each document's four fields."""
    return [(GOLD, dict(list(GOLD.items())[:count])) for count in right]


def compared(base: list, tuned: list):
    return compare(results_of("base", base), results_of("tuned", tuned))


def test_documents_are_counted_and_ordered_by_what_the_tuned_model_lost_or_gained():
    comparison = compared(reads(4, 2, 1, 2, 0), reads(0, 1, 1, 3, 4))
    assert (comparison.better, comparison.equal, comparison.worse) == (2, 1, 2)
    assert [reading.change for reading in comparison.readings] == [-1, -0.25, 0, 0.25, 1]
    assert [r.base.where for r in comparison.regressions(9)] == ["test.jsonl:1", "test.jsonl:2"]
    assert [r.base.where for r in comparison.gains(1)] == ["test.jsonl:5"]


def test_of_two_documents_with_as_many_wrong_fields_the_one_further_off_is_the_greater_loss():
    right, near, far = {"name": "Acme Limited"}, {"name": "Acme Limitad"}, {"name": "?"}
    comparison = compared([(right, right), (right, right)], [(right, near), (right, far)])
    assert [reading.tuned.where for reading in comparison.regressions(2)] == ["test.jsonl:2", "test.jsonl:1"]


def test_fields_are_ordered_from_the_greatest_loss_to_the_greatest_gain():
    comparison = compared([(GOLD, {"a": "1", "b": "2"})], [(GOLD, {"b": "2", "c": "3"})])
    assert [(pair.name, pair.change) for pair in comparison.fields] == [
        ("a", -1),
        ("b", 0),
        ("d", 0),
        ("c", 1),
    ]


def test_figures_that_apply_to_no_document_are_left_out():
    comparison = compared([("some text", "some text")], [("some text", "other text")])
    names = {pair.name for pair in comparison.metrics}
    assert DocumentMetric.field_accuracy in names
    assert not names & {DocumentMetric.teds_score, DocumentMetric.parse_rate, DocumentMetric.numeric_accuracy}
    assert comparison.gates == ()


def test_a_figure_of_what_models_wrote_says_how_many_documents_each_wrote_it_in():
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
def test_results_of_different_rows_or_settings_are_refused_by_what_differs(change, named):
    results = results_of("model", reads(1, 2))
    with pytest.raises(UserError) as refused:
        compare(results, change(results))
    assert named in refused.value.message


@pytest.mark.parametrize(
    ("base", "tuned", "said"),
    [
        (
            reads(*[0] * 12),
            reads(*[3] * 12),
            "The tuned model reads 75 of 100 fields right; the base model 0. "
            "The difference is significant (p < 0.001, 12 documents).",
        ),
        (
            reads(4, 0, 4, 0, 4, 0, 0),
            reads(0, 4, 0, 4, 0, 4, 1),
            "The tuned model reads 46 of 100 fields right; the base model 43. "
            "The difference is not significant (p = 1.000, 7 documents): it may be chance.",
        ),
        (
            reads(1, 2, 3, 2, 2, 2),
            reads(2, 1, 2, 3, 2, 2),
            "The tuned model reads 50 of 100 fields right; the base model 50. "
            "There is no difference (6 documents).",
        ),
        (
            reads(*[4] * 6),
            reads(*[1] * 6),
            "The tuned model reads 25 of 100 fields right; the base model 100. "
            "The difference is significant (p = 0.031, 6 documents).",
        ),
        (
            reads(*[0] * 5),
            reads(*[4] * 5),
            "The tuned model reads 100 of 100 fields right; the base model 0. "
            "5 documents are too few to tell this from chance.",
        ),
        (
            reads(0),
            reads(2),
            "The tuned model reads 50 of 100 fields right; the base model 0. "
            "1 document is too few to tell this from chance.",
        ),
        ([({}, "{}")], [({}, "{}")], "No document has a field to read, so the models can't be compared."),
    ],
    ids=[
        "clear gain",
        "maybe chance",
        "no difference",
        "clear loss",
        "too few",
        "one document",
        "nothing to read",
    ],
)
def test_the_headline_says_what_came_out_and_whether_it_may_be_chance(base, tuned, said):
    assert headline(compared(base, tuned)) == said


def test_a_figure_is_not_rounded_to_all_or_none():
    base, tuned = reads(*[0] * 250), reads(*[4] * 249, 3)
    assert "reads 99.9 of 100 fields right; the base model 0.0." in headline(compared(base, tuned))


def test_notes_say_what_would_mislead_a_reader():
    base, tuned = results_of("base", [(GOLD, "Total: 12")] * 2), results_of("tuned", reads(4, 4))
    tuned = replace(
        tuned,
        versions={**tuned.versions, "transformers": "5.22.0"},
        documents=(replace(tuned.documents[0], cut_off=True), tuned.documents[1]),
    )
    said = notes(compare(base, tuned))
    assert [note for note in said if "Only 0.0% of the base model's answers are strict JSON" in note]
    assert "1 of 2 answers of the tuned model were cut off after 512 tokens." in said
    assert "The models were read by different versions: transformers 5.21.0 and 5.22.0." in said


def test_two_good_models_need_no_notes_but_one_model_twice_does():
    assert notes(compared(reads(4, 4), reads(4, 4))) == []
    same = results_of("model", reads(4))
    assert notes(compare(same, same)) == ["Both results are of the same model."]
