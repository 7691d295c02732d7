"""Arithmetic checks of documents, and the number they identify as wrong."""

import copy
import random
import re
from decimal import Decimal
from typing import Any

import pytest

from finscribe_trainer.data_tools.sample.documents import random_document
from finscribe_trainer.documents.arithmetic import check_arithmetic
from finscribe_trainer.documents.numbers import load_json
from finscribe_trainer.documents.paths import leaves

DOCUMENT = load_json(
    """{
    "line_items": [
        {"quantity": 2, "unit_price": "10.00", "discount": "1.00", "line_total": "19.00"},
        {"quantity": "0.5", "unit_price": "30.00", "line_total": "15.00"},
        {"description": "flat fee", "line_total": "6.00"}
    ],
    "financial_summary": {
        "subtotal": "40.00", "discount": "4.00", "shipping": "5.00", "tax_rate": 10, "tax_amount": "3.60",
        "grand_total": "44.60"
    }
}"""
)


def changed(path: str, value: Any) -> dict:
    data = copy.deepcopy(DOCUMENT)
    *keys, last = [int(key) if key.isdigit() else key for key in re.findall(r"[^.\[\]]+", path)]
    part = data
    for key in keys:
        part = part[key]
    part[last] = value
    return data


def test_a_correct_document_has_no_problem():
    assert check_arithmetic(DOCUMENT) == []
    # The tax may be on the shipping, too.
    with_shipping = changed("financial_summary.tax_amount", "4.10")
    with_shipping["financial_summary"]["grand_total"] = "45.10"
    assert check_arithmetic(with_shipping) == []


@pytest.mark.parametrize("path", [path for path, value in leaves(DOCUMENT) if value != "flat fee"])
def test_one_wrong_number_gives_one_problem_that_names_it(path: str):
    value = Decimal(str(dict(leaves(DOCUMENT))[path])) + Decimal("3.33")

    (problem,) = check_arithmetic(changed(path, str(value)))

    assert path == problem.path or path in problem.remedy


@pytest.mark.parametrize(
    ("path", "rule", "remedy"),
    [
        (
            "line_items[0].line_total",
            "line-total",
            "Compare line_items[0].line_total with the page: with 3.33 less, all sums are correct.",
        ),
        ("line_items[0].quantity", "line-total", "one of line_items[0].quantity, line_items[0].unit_price"),
        (
            "financial_summary.subtotal",
            "sum-of-lines",
            "Compare financial_summary.subtotal with the page: with 3.33 less,",
        ),
        (
            "financial_summary.tax_amount",
            "grand-total",
            "Compare financial_summary.tax_amount with the page: with 3.33 less,",
        ),
        (
            "financial_summary.tax_rate",
            "tax",
            "Compare financial_summary.tax_rate with the page: with 3.33 less,",
        ),
    ],
)
def test_the_one_number_whose_correction_satisfies_every_equation_is_reported(
    path: str, rule: str, remedy: str
):
    value = Decimal(str(dict(leaves(DOCUMENT))[path])) + Decimal("3.33")

    (problem,) = check_arithmetic(changed(path, str(value)))

    assert problem.rule == rule
    assert remedy in problem.remedy


def test_tax_rates_of_lines_are_used_in_the_tax_equation():
    lines = [{"line_total": "100.00", "tax_rate": 19}, {"line_total": "50.00", "tax_rate": 7}]
    totals = {"subtotal": "150.00", "tax_amount": "22.50", "grand_total": "172.50"}
    assert check_arithmetic({"line_items": lines, "financial_summary": totals}) == []
    lines[1] = {"line_total": "50.00", "tax_rate": 17}

    (problem,) = check_arithmetic({"line_items": lines, "financial_summary": totals})

    assert problem.rule == "tax"
    assert "line_items[1].tax_rate" in problem.remedy


FRACTIONS = {
    "of the document": ({"tax_rate": "0.1"}, [{}, {}]),
    "of the lines": ({}, [{"tax_rate": "0.1"}, {"tax_rate": "0.10"}]),
    "with a line without tax": (
        {"tax_amount": "3.00", "grand_total": "43.00"}, [{"tax_rate": 0.1}, {"tax_rate": 0}],
    ),
    "with shipping, which is taxed": (
        {"tax_rate": "0.1", "shipping": "5.00", "tax_amount": "4.50", "grand_total": "49.50"}, [{}, {}],
    ),
    "of a discounted document": (
        {"tax_rate": "0.1", "discount": "4.00", "tax_amount": "3.60", "grand_total": "39.60"}, [{}, {}],
    ),
    "in percent, below one": ({"tax_rate": "0.5", "tax_amount": "0.20", "grand_total": "40.20"}, [{}, {}]),
}  # fmt: skip


def taxed(totals: dict, lines: list[dict]) -> dict:
    return {
        "line_items": [{"line_total": total, **line} for total, line in zip((30, 10), lines, strict=True)],
        "financial_summary": {"subtotal": "40.00", "tax_amount": "4.00", "grand_total": "44.00", **totals},
    }


@pytest.mark.parametrize(("totals", "lines"), FRACTIONS.values(), ids=FRACTIONS)
def test_a_tax_rate_may_be_a_fraction(totals: dict, lines: list[dict]):
    data = taxed(totals, lines)
    assert check_arithmetic(data) == []
    data["financial_summary"]["tax_amount"] = "9.99"
    data["financial_summary"].pop("grand_total")
    assert [problem.rule for problem in check_arithmetic(data)] == ["tax"]


def test_a_tax_rate_of_one_or_more_is_in_percent():
    data = taxed({"tax_rate": "1", "tax_amount": "40.00", "grand_total": "80.00"}, [{}, {}])
    assert [problem.rule for problem in check_arithmetic(data)] == ["tax"]


def test_a_missing_line_violates_the_sum_of_lines():
    data = copy.deepcopy(DOCUMENT)
    del data["line_items"][1]

    (problem,) = check_arithmetic(data)

    assert problem.rule == "sum-of-lines"
    assert "the 2 lines add up to 25.00, not to subtotal 40.00" in problem.message


def test_a_missing_line_gives_one_problem_even_with_tax_rates_per_line():
    lines = [{"line_total": "100.00", "tax_rate": 19}, {"line_total": "50.00", "tax_rate": 7}]
    totals = {"subtotal": "150.00", "tax_amount": "22.50", "grand_total": "172.50"}

    (problem,) = check_arithmetic({"line_items": lines[:1], "financial_summary": totals})

    assert problem.rule == "sum-of-lines"


def test_each_of_a_thousand_wrong_numbers_in_random_invoices_is_found():
    rng = random.Random(1)
    for _ in range(100):
        while (content := random_document(rng, test=False)).tax_rate is None:
            pass  # without a subtotal its lines are compared with the total only
        document = load_json(content.answer())
        assert check_arithmetic(document) == []
        line = rng.randrange(len(document["line_items"]))
        document["line_items"][line]["line_total"] = "99999.99"
        (problem,) = check_arithmetic(document)
        assert f"line_items[{line}].line_total" in problem.path + problem.remedy


@pytest.mark.parametrize("value", ["12x", "", [], {}, True, "1e999999", "9" * 5000, "NaN", "1_0"])
@pytest.mark.parametrize("path", [path for path, value in leaves(DOCUMENT) if value != "flat fee"])
def test_equations_with_an_invalid_number_are_skipped(path: str, value: Any):
    assert check_arithmetic(changed(path, value)) == []


@pytest.mark.parametrize(
    "data", [None, [], "text", 7, {"line_items": 3, "financial_summary": []}, {"line_items": [None, 4]}]
)
def test_a_value_that_is_not_a_document_has_no_equations(data: Any):
    assert check_arithmetic(data) == []
