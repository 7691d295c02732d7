import random
from collections import Counter
from decimal import Decimal
from functools import cache

import pytest

from finscribe_trainer.data_tools.synthetic.content import make_document
from finscribe_trainer.data_tools.synthetic.locales import LOCALES
from finscribe_trainer.data_tools.synthetic.made_up import MadeUp
from finscribe_trainer.data_tools.synthetic.shown import shown
from finscribe_trainer.documents.arithmetic import check_arithmetic
from finscribe_trainer.documents.numbers import load_json
from finscribe_trainer.documents.paths import leaves
from finscribe_trainer.documents.schema import DOCUMENT_TYPES, parse_document, to_answer


def document(index: int) -> MadeUp:
    """Kinds and locales take turns."""
    kind = DOCUMENT_TYPES[index % len(DOCUMENT_TYPES)]
    locale = list(LOCALES.values())[index // len(DOCUMENT_TYPES) % len(LOCALES)]
    return make_document(kind, locale, random.Random(f"content/{index}"))


@cache
def thousand() -> list[MadeUp]:
    return [document(index) for index in range(1000)]


def test_a_thousand_documents_keep_the_schema_and_every_sum():
    for made in thousand():
        answer = load_json(to_answer(made.document))
        assert parse_document(answer) == made.document
        assert check_arithmetic(answer) == []


def test_the_tax_section_adds_up_to_the_tax():
    for made in thousand():
        summary = made.document.financial_summary
        assert sum(tax.amount for tax in made.taxes) == (summary.tax_amount or 0)
        for tax in made.taxes:
            assert abs(tax.base * tax.rate / 100 - tax.amount) <= Decimal("0.005")


def test_descriptions_and_units_go_with_the_lines():
    for made in thousand():
        items = made.document.line_items
        assert [" ".join(lines) for lines in made.descriptions] == [item.description for item in items]
        assert len(made.units) == len(items)


CASES = {
    "a fraction of a unit": lambda d: any((i.quantity or 0) % 1 for i in d.line_items),
    "a discount on a line": lambda d: any(i.discount for i in d.line_items),
    "a discount on all": lambda d: d.financial_summary.discount,
    "shipping": lambda d: d.financial_summary.shipping,
    "one tax rate": lambda d: d.financial_summary.tax_rate,
    "mixed tax rates": lambda d: len({i.tax_rate for i in d.line_items}) > 1,
    "a tax of zero": lambda d: d.financial_summary.tax_rate == 0,
    "no tax": lambda d: d.financial_summary.tax_amount is None,
    "a single line": lambda d: len(d.line_items) == 1,
    "25 lines": lambda d: len(d.line_items) == 25,
    "a credit": lambda d: any(i.line_total < 0 for i in d.line_items),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_documents_differ_in_kind_of(case):
    found = sum(bool(case(made.document)) for made in thousand())
    assert 3 <= found < 900


def test_mixed_rates_leave_the_one_rate_out():
    mixed = [m for m in thousand() if len(m.taxes) > 1]
    assert mixed
    assert all(m.document.financial_summary.tax_rate is None for m in mixed)


def test_no_two_documents_are_alike():
    answers = Counter(to_answer(made.document) for made in thousand())
    assert len(answers) == 1000


def test_a_document_depends_on_its_own_seed_alone():
    before = [document(index) for index in (3, 1)]
    assert [document(index) for index in (1, 3)] == before[::-1]


def test_what_a_page_does_not_show_is_not_in_the_answer():
    made = next(m.document for m in thousand() if m.document.vendor.contact and m.document.due_date)
    paths = {path for path, _ in leaves(made.model_dump(mode="json", exclude_none=True))}
    hidden = {path for path in paths if path.startswith("vendor.contact.")} | {"due_date"}
    answer = load_json(to_answer(shown(made, paths - hidden)))
    assert {path for path, _ in leaves(answer)} == paths - hidden
    assert "contact" not in answer["vendor"]
