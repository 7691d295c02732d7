"""Scores of answers agree with the reference implementations, apart from what docs/metrics.md lists."""

import re
from importlib.metadata import version

import pytest

from finscribe_trainer.metrics.anls import anls_star
from finscribe_trainer.metrics.fields import field_f1
from finscribe_trainer.metrics.normalization import normalize_answer
from finscribe_trainer.metrics.nted import nted
from tests.reference.answers import donut_f1, donut_nted, official_anls
from tests.reference.random_answers import HANDMADE
from tools.agreement import BEGIN, END, PAGE, compare_all


def test_every_metric_agrees_with_its_reference():
    assert [(agreement.metric, agreement.equal) for agreement in compare_all(40, seed=1)] == [
        (metric, 40) for metric in ("Field F1", "nTED", "ANLS*", "TEDS", "TEDS-S")
    ]


def table_of_the_page() -> str:
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0]


def test_the_page_names_the_installed_version_of_each_reference_package():
    shown = re.findall(r"^\| .+? \| ([\w-]+) (\d\S*), `", table_of_the_page(), re.MULTILINE)
    assert len(shown) == 5
    assert shown == [(package, version(package)) for package, _ in shown]


def test_the_page_shows_at_least_500_cases_of_each_and_at_most_one_difference():
    table = table_of_the_page()
    rows = re.findall(r"^\| (\S.*?) \| .+? \| (\d+) \| (\d+) \|", table, re.MULTILINE)
    assert [metric for metric, *_ in rows] == ["Field F1", "nTED", "ANLS*", "TEDS", "TEDS-S"]
    for _, cases, equal in rows:
        assert int(cases) >= 500
        assert int(cases) - int(equal) <= 1


@pytest.mark.parametrize(("gold", "predicted"), HANDMADE)
def test_handmade_answers_score_as_with_the_references(gold, predicted):
    ours = (field_f1(gold, predicted).value, nted(gold, predicted), anls_star(gold, predicted))
    theirs = (
        donut_f1(gold, predicted),
        donut_nted(gold, predicted),
        official_anls(gold, predicted),
    )
    assert ours == pytest.approx(theirs)


def f1(gold, predicted):
    return field_f1(normalize_answer(gold), normalize_answer(predicted)).value


DIFFERENCES = {
    "zero is a value": (f1, donut_f1, {"a": 0, "b": "x"}, {"b": "x"}, 2 / 3, 1),
    "objects among texts count": (f1, donut_f1, {"a": ["x", {"b": "y"}]}, {"a": ["x"]}, 2 / 3, 1),
    "numbers compare as numbers": (f1, donut_f1, {"a": 12.5}, {"a": "12.50"}, 1, 0),
    "null is absent": (
        lambda gold, predicted: anls_star(normalize_answer(gold), normalize_answer(predicted)),
        official_anls,
        {"a": None, "b": "x"},
        {"b": "y"},
        0,
        1 / 2,
    ),
    "a list is not a set of alternatives": (anls_star, official_anls, ["x", "y"], "x", 0, 1),
}


@pytest.mark.parametrize(
    ("ours", "theirs", "gold", "predicted", "our_score", "their_score"), DIFFERENCES.values(), ids=DIFFERENCES
)
def test_scores_differ_from_the_references_only_as_the_page_lists(
    ours, theirs, gold, predicted, our_score, their_score
):
    assert ours(gold, predicted) == pytest.approx(our_score)
    assert theirs(gold, predicted) == pytest.approx(their_score)
