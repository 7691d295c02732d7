"""docs/data-quality.md: its rules and options match the code."""

import re

from finscribe_trainer.cli.validate import validate
from finscribe_trainer.data_tools.validate.rules import RULES
from tests.unit.docs.pages import ALL

PAGE = ALL["docs/data-quality.md"]


def test_the_table_of_rules_equals_the_rules_in_the_code():
    section = PAGE.text.partition("## Rules")[2].partition("\n## ")[0]
    described = re.findall(r"^\| `([a-z-]+)` \| (\w+) \| (.*) \| (.*) \|$", section, re.MULTILINE)
    assert described == [(name, rule.severity, rule.meaning, rule.remedy) for name, rule in RULES.items()]


def test_every_option_is_described():
    options = {option for parameter in validate.params for option in parameter.opts}
    assert options <= set(PAGE.inline)
