"""The checks of `finscribe data validate --model`."""

import pytest

from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.rows import Row, Turn
from finscribe_trainer.data_tools.validate.rules import RULES
from finscribe_trainer.data_tools.validate.tokens import TokenCheck

ROW = Row((Turn("system", "Be exact."), Turn("user", "Read.")), "12")
TEMPLATES = {
    "chat-template": "{{ raise_exception('no system message') }}",
    "dropped-message": "{% for m in messages if m.role == 'user' %}{{ m.content[0].text }}{% endfor %}",
}


@pytest.mark.parametrize(("rule", "template"), TEMPLATES.items())
def test_a_row_that_the_chat_template_refuses_or_cuts_is_found(rule, template, sample, monkeypatch):
    check = TokenCheck(str(sample / "model"), max_tokens=100)
    monkeypatch.setattr(check._family.processing, "chat_template", template)
    count, problems = check.check(Example(ROW, "rows.jsonl:1"))
    assert [problem.rule for problem in problems] == [rule]
    assert rule in RULES
    assert (count is None) == (rule == "chat-template")


def test_special_tokens_and_long_rows_are_found(sample):
    check = TokenCheck(str(sample / "model"), max_tokens=20)
    row = Row((Turn("user", "Read. </s>"),), "12 <|IMAGE_START|>" + "34 " * 100)
    _, problems = check.check(Example(row, "rows.jsonl:1"))
    assert [problem.rule for problem in problems] == ["reserved-token", "reserved-token", "too-many-tokens"]
