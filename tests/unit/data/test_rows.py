import pytest

from finscribe_trainer.data.rows import Row, RowError, Turn, parse_row

ROWS = {
    "instruction and output": (
        {"instruction": "Read.", "input": "", "output": "{}"},
        Row((Turn("user", "Read."),), "{}"),
    ),
    "instruction with a text as input": (
        {"instruction": "Read.", "input": "Total: 12", "output": "12"},
        Row((Turn("user", "Read.\nTotal: 12"),), "12"),
    ),
    "instruction with an image as input": (
        {"instruction": "Read.", "input": "scans/1.PNG", "output": "12"},
        Row((Turn("user", "Read.", 1),), "12", ("scans/1.PNG",)),
    ),
    "output as an object": (
        {"instruction": "Read.", "output": {"total": "12 €"}},
        Row((Turn("user", "Read."),), '{"total": "12 €"}'),
    ),
    "prompt and completion with images": (
        {"prompt": "Read.", "completion": "12", "images": ["a.png", "b.png"]},
        Row((Turn("user", "Read.", 2),), "12", ("a.png", "b.png")),
    ),
    "messages with a placeholder": (
        {
            "messages": [
                {"role": "user", "content": "<image>Read."},
                {"role": "assistant", "content": "12"},
            ],
            "images": ["a.png"],
        },
        Row((Turn("user", "Read.", 1),), "12", ("a.png",)),
    ),
    "messages without a placeholder": (
        {
            "messages": [{"role": "user", "content": "Read."}, {"role": "assistant", "content": "12"}],
            "images": ["a.png"],
        },
        Row((Turn("user", "Read.", 1),), "12", ("a.png",)),
    ),
    "messages with parts and an earlier exchange": (
        {
            "messages": [
                {"role": "system", "content": "Be exact."},
                {
                    "role": "user",
                    "content": [{"type": "image", "image": "a.png"}, {"type": "text", "text": "Hi"}],
                },
                {"role": "assistant", "content": "Hello"},
                {"role": "user", "content": "Total?"},
                {"role": "assistant", "content": "12"},
            ]
        },
        Row(
            (
                Turn("system", "Be exact."),
                Turn("user", "Hi", 1),
                Turn("assistant", "Hello"),
                Turn("user", "Total?"),
            ),
            "12",
            ("a.png",),
        ),
    ),
}


@pytest.mark.parametrize(("data", "row"), ROWS.values(), ids=ROWS)
def test_every_row_format_becomes_the_same_kind_of_row(data, row):
    assert parse_row(data) == row


BAD_ROWS = {
    "no object": ([1], "must be a JSON object, not a list"),
    "nothing known": ({"text": "x"}, "instruction is missing; a row has instruction and output"),
    "no output": ({"instruction": "x"}, "output is missing"),
    "empty output": ({"instruction": "x", "output": " "}, "output is empty"),
    "output a number": (
        {"instruction": "x", "output": 3},
        "output must be a text, an object or a list, not a number",
    ),
    "no completion": ({"prompt": "x"}, "completion is missing"),
    "image no path": ({"prompt": "x", "completion": "y", "image": 3}, "image must be a path"),
    "messages end with the user": (
        {"messages": [{"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]},
        "must end with a user's message and the assistant's answer",
    ),
    "unknown role": (
        {"messages": [{"role": "bot", "content": "a"}, {"role": "user", "content": "b"}]},
        r"messages\[0\].role must be system, user or assistant, not 'bot'",
    ),
    "more placeholders than images": (
        {
            "messages": [
                {"role": "user", "content": "<image><image>"},
                {"role": "assistant", "content": "b"},
            ],
            "images": ["a.png"],
        },
        "contain 2 image placeholders, but the row names 1 images",
    ),
    "half a character": ({"instruction": "x", "output": "\ud800"}, "unpaired surrogate"),
}


@pytest.mark.parametrize(("data", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_an_invalid_row_is_rejected_naming_the_field(data, message):
    with pytest.raises(RowError, match=message):
        parse_row(data)
