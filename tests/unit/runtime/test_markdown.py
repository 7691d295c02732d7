"""Texts in Markdown stay texts."""

import pytest

from finscribe_trainer.runtime.markdown import code, escape, fence


def test_markup_is_escaped_in_one_line():
    assert escape("a\n# b | <i>![x](y)`") == r"a \# b \| &lt;i&gt;\!\[x\](y)\`"


def test_a_code_span_cannot_be_ended_by_its_text():
    assert code("a`\n\n# b") == "`a' # b`"
    assert code("") == ""


@pytest.mark.parametrize(("text", "length"), [("a: b", 3), ("a: |\n  ```\n  # b", 4), ("`````", 6)])
def test_a_fence_is_longer_than_those_in_its_text(text, length):
    assert fence(text) == "`" * length
