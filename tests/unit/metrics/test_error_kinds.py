import json

import pytest

from finscribe_trainer.metrics.score import score_document

GOLD = {"a": "1", "b": "2", "lines": [{"n": "x"}, {"n": "y"}]}
ERRORS = {
    "right": (GOLD, {}),
    "one is not there": ({**GOLD, "a": None}, {"a": (1, 0, 0)}),
    "one is another": ({**GOLD, "a": "3"}, {"a": (0, 1, 0)}),
    "one more": ({**GOLD, "c": "3"}, {"c": (0, 0, 1)}),
    "a line is missing": ({**GOLD, "lines": [{"n": "y"}]}, {"lines.n": (1, 0, 0)}),
    "a line too many": ({**GOLD, "lines": [{"n": "x"}, {"n": "z"}, {"n": "y"}]}, {"lines.n": (0, 0, 1)}),
    "another value and one more": (
        {**GOLD, "lines": [{"n": "z"}, {"n": "y"}, {"n": "w"}]},
        {"lines.n": (0, 1, 1)},
    ),
    "an object in place of a value": ({**GOLD, "a": {"b": "1"}}, {"a": (1, 0, 0), "a.b": (0, 0, 1)}),
    "no JSON": ("1 2 x y", {"a": (1, 0, 0), "b": (1, 0, 0), "lines.n": (2, 0, 0)}),
}


@pytest.mark.parametrize(("answer", "errors"), ERRORS.values(), ids=ERRORS)
def test_errors_are_counted_by_kind_and_field(answer, errors):
    text = answer if isinstance(answer, str) else json.dumps(answer)
    assert score_document(json.dumps(GOLD), text).errors == errors


def test_another_plain_text_is_one_wrong_value():
    assert score_document("Total 5", "Total 6").errors == {"text": (0, 1, 0)}
