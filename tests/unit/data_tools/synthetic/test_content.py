import random
from collections import Counter
from decimal import Decimal
from functools import cache

import pytest

from finscribe_trainer.data_tools.synthetic.content import make_document
from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.locales import LOCALES
from finscribe_trainer.data_tools.synthetic.visible_fields import keep_visible_fields
from finscribe_trainer.documents.arithmetic import check_arithmetic
from finscribe_trainer.documents.numbers import load_json
from finscribe_trainer.documents.paths import leaves
from finscribe_trainer.documents.schema import DOCUMENT_TYPES, parse_document, to_answer


def document(index: int) -> DocumentContent:
    """A document; document types and locales alternate with the index."""
    kind = DOCUMENT_TYPES[index % len(DOCUMENT_TYPES)]
    locale = list(LOCALES.values())[index // len(DOCUMENT_TYPES) % len(LOCALES)]
    return make_document(kind, locale, random.Random(f"content/{index}"))


@cache
def thousand() -> list[DocumentContent]:
    return [document(index) for index in range(1000)]


def test_a_thousand_documents_are_valid_and_add_up():
    for content in thousand():
        answer = load_json(to_answer(content.document))
        assert parse_document(answer) == content.document
        assert check_arithmetic(answer) == []


def test_the_tax_section_adds_up_to_the_tax():
    for content in thousand():
        summary = content.document.financial_summary
        assert sum(tax.amount for tax in content.taxes) == (summary.tax_amount or 0)
        for tax in content.taxes:
            assert abs(tax.base * tax.rate / 100 - tax.amount) <= Decimal("0.005")


def test_descriptions_and_units_match_the_line_items():
    for content in thousand():
        items = content.document.line_items
        assert [" ".join(lines) for lines in content.descriptions] == [item.description for item in items]
        assert len(content.units) == len(items)


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
    found = sum(bool(case(content.document)) for content in thousand())
    assert 3 <= found < 900


def test_documents_with_mixed_rates_have_no_single_rate():
    mixed = [m for m in thousand() if len(m.taxes) > 1]
    assert mixed
    assert all(m.document.financial_summary.tax_rate is None for m in mixed)


def test_all_documents_differ():
    answers = Counter(to_answer(content.document) for content in thousand())
    assert len(answers) == 1000


def test_a_document_depends_only_on_its_own_seed():
    before = [document(index) for index in (3, 1)]
    assert [document(index) for index in (1, 3)] == before[::-1]


def test_fields_that_are_not_visible_are_not_in_the_answer():
    content = next(m.document for m in thousand() if m.document.vendor.contact and m.document.due_date)
    paths = {path for path, _ in leaves(content.model_dump(mode="json", exclude_none=True))}
    hidden = {path for path in paths if path.startswith("vendor.contact.")} | {"due_date"}
    answer = load_json(to_answer(keep_visible_fields(content, paths - hidden)))
    assert {path for path, _ in leaves(answer)} == paths - hidden
    assert "contact" not in answer["vendor"]
