import numpy as np
import pytest

from finscribe_trainer.metrics.non_inferiority import RARE_FIELDS, field_changes
from finscribe_trainer.metrics.ratio import Ratio


def documents(**correct):
    """The fields of documents, by the values of each field; None for a document without it."""
    rows = [{} for _ in range(max(map(len, correct.values())))]
    for name, values in correct.items():
        for row, value in zip(rows, values, strict=False):
            if value is not None:
                row[name] = Ratio(value, 1)
    return rows


def changes(before, after, margin=0.05):
    return field_changes(documents(**before), documents(**after), margin)


def right(count, of):
    return [1] * count + [0] * (of - count)


FIELDS = {
    "unchanged": (right(95, 100), right(95, 100), True),
    "better": (right(80, 100), right(95, 100), True),
    "one of many lost": (right(1000, 1000), right(999, 1000), True),
    "fallen by twice the margin": (right(190, 200), right(170, 200), False),
    "fallen by the margin": (right(200, 200), right(190, 200), False),
    "as good, but in other documents": (right(50, 100), right(50, 100)[::-1], False),
}


@pytest.mark.parametrize(("before", "after", "passes"), FIELDS.values(), ids=FIELDS)
def test_a_field_passes_when_a_fall_by_the_margin_is_excluded(before, after, passes):
    assert (not changes({"a": before}, {"a": after}).below(0.05)) is passes


def test_the_field_that_fell_comes_first():
    found = changes({"a": right(99, 100), "b": right(99, 100)}, {"a": right(99, 100), "b": right(80, 100)})
    [fallen] = found.below(0.05)
    assert found.tested[0] is fallen
    assert (fallen.name, fallen.before, fallen.after, fallen.documents) == ("b", 0.99, 0.8, 100)
    assert fallen.low < fallen.change == pytest.approx(-0.19)


def test_fields_in_few_documents_are_tested_together():
    few = {"b": right(30, 30), "c": [None] * 30 + right(30, 30)}
    found = changes({"a": right(60, 60), **few}, {"a": right(60, 60), **few})
    assert {change.name: change.documents for change in found.tested} == {"a": 60, RARE_FIELDS: 60}
    assert (found.together, found.untested) == (("b", "c"), ())


def test_fields_in_too_few_documents_are_not_tested():
    found = changes({"a": right(60, 60), "b": right(9, 9)}, {"a": right(60, 60), "b": right(0, 9)})
    assert [change.name for change in found.tested] == ["a"]
    assert found.untested == ("b",)


@pytest.mark.parametrize(
    ("count", "before", "regained"), [(60, 1.0, 0.0), (200, 0.9, 0.02), (400, 0.7, 0.05)]
)
def test_a_model_that_fell_by_the_margin_rarely_passes(count, before, regained):
    random, margin, repeats = np.random.default_rng(0), 0.05, 2000
    kept = 1 - (margin + regained * (1 - before)) / before
    passed = 0
    for _ in range(repeats):
        was = random.random(count) < before
        now = random.random(count) < np.where(was, kept, regained)
        sides = [[{"a": Ratio(value, 1)} for value in side.tolist()] for side in (was, now)]
        passed += not field_changes(sides[0], sides[1], margin).below(margin)
    # The promise is 0.05; the rest is for the normal approximation and the simulation.
    assert passed / repeats <= 0.065


def test_the_lines_of_one_document_count_as_one_observation():
    was, now = [{"n": Ratio(10, 10)}] * 100, [{"n": Ratio(10, 10)}] * 95 + [{"n": Ratio(0, 10)}] * 5
    single = changes({"n": right(100, 100)}, {"n": right(95, 100)}).tested[0]
    assert field_changes(was, now, 0.05).tested[0].low == pytest.approx(single.low)
