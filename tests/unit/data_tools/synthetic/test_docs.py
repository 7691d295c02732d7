"""docs/synthetic.md: its options, locales, templates and fractions match the code."""

import pytest

from finscribe_trainer.cli.generate import generate
from finscribe_trainer.data_tools.synthetic.degrade import LEVELS, MIXED
from finscribe_trainer.data_tools.synthetic.locales import LOCALES
from finscribe_trainer.data_tools.synthetic.templates import TEMPLATES
from tests.unit.docs.pages import ALL

PAGE = ALL["docs/synthetic.md"]
OPTIONS = [name for parameter in generate.params for name in parameter.opts if name.startswith("--")]


@pytest.mark.parametrize("name", [*OPTIONS, *LOCALES, *LEVELS])
def test_the_page_names(name):
    assert name in PAGE.inline


@pytest.mark.parametrize("kind", ["invoice", "receipt", "statement", "order"])
def test_the_page_lists_the_templates_of_each_document_type(kind):
    [line] = [text for text in PAGE.text.splitlines() if text.startswith("| Templates")]
    [described] = [part for part in line.split(";") if f"{kind}s:" in part]
    expected = {name for name, template in TEMPLATES.items() if any(k.endswith(kind) for k in template.kinds)}
    assert {word for word in described.split("`") if word in TEMPLATES} == expected


def test_the_page_lists_the_shares_of_mixed_scans():
    shares = [f"{share:.0%}".rstrip("%") for share in MIXED.values()]
    assert f"{', '.join(shares[:-1])} and {shares[-1]} %" in PAGE.text
