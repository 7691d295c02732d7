import pytest

from finscribe_trainer.data.row_fields import RowError
from finscribe_trainer.data.rows import Row, Turn, parse_row

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
    "instruction with a mark": (
        {"instruction": "<image>\nRead.", "input": "", "output": "12", "images": ["a.png"]},
        Row((Turn("user", "Read.", 1),), "12", ("a.png",)),
    ),
    "instruction with a mark and an image as input": (
        {"instruction": "<image>Read.", "input": "a.png", "output": "12"},
        Row((Turn("user", "Read.", 1),), "12", ("a.png",)),
    ),
    "prompt with two marks": (
        {"prompt": "Compare <image> with <image>.", "completion": "12", "images": ["a.png", "b.png"]},
        Row((Turn("user", "Compare  with .", 2),), "12", ("a.png", "b.png")),
    ),
    "marks in answers are text": (
        {
            "messages": [
                {"role": "user", "content": "<image>Write Markdown."},
                {"role": "assistant", "content": "an <image> here"},
                {"role": "user", "content": "Again."},
                {"role": "assistant", "content": "# Title\n<image>\n<img>"},
            ],
            "images": ["a.png"],
        },
        Row(
            (
                Turn("user", "Write Markdown.", 1),
                Turn("assistant", "an <image> here"),
                Turn("user", "Again."),
            ),
            "# Title\n<image>\n<img>",
            ("a.png",),
        ),
    ),
    "marks and image parts in one row": (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "<image>and"},
                        {"type": "image", "image": "b.png"},
                        {"type": "image"},
                    ],
                },
                {"role": "assistant", "content": "12"},
            ],
            "images": ["a.png", "c.png"],
        },
        Row((Turn("user", "and", 3),), "12", ("a.png", "b.png", "c.png")),
    ),
    "completion with a mark": (
        {"prompt": "Read.", "completion": "<image>", "image": "a.png"},
        Row((Turn("user", "Read.", 1),), "<image>", ("a.png",)),
    ),
    "other keys that name the origin of a page": (
        {
            "prompt": "Read.",
            "completion": "12",
            "image": "a.png",
            "source_file": "s3://b/1",
            "id": "1.png",
        },
        Row((Turn("user", "Read.", 1),), "12", ("a.png",)),
    ),
    "other keys without an image": (
        {"prompt": "Read.", "completion": "12", "source": "https://x.example/1", "page": 3, "tags": ["a/b"]},
        Row((Turn("user", "Read."),), "12"),
    ),
    "no images, explicitly": (
        {"prompt": "Read.", "completion": "12", "images": []},
        Row((Turn("user", "Read."),), "12"),
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


TURNS = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
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
        "has 2 marks of images .*, but the row names 1 images",
    ),
    "two marks in a prompt with one image": (
        {"prompt": "<image><image>Read.", "completion": "x", "images": ["a.png"]},
        "has 2 marks of images .*, but the row names 1 images",
    ),
    "a mark in an input without image": (
        {"instruction": "Read.", "input": "<image>", "output": "x"},
        "has 1 marks of images .*, but the row names 0 images",
    ),
    "a mark in a system message": (
        {"messages": [{"role": "system", "content": "<image>"}, *TURNS], "images": ["a.png"]},
        r"messages\[0\] has a mark of an image .* only a user's message can have images",
    ),
    "an image in an answer": (
        {"messages": [TURNS[0], {"role": "assistant", "content": [{"type": "image", "image": "a.png"}]}]},
        r"messages\[1\] has an image; only a user's message can have images",
    ),
    "a system message of Alpaca rows": (
        {"instruction": "x", "output": "y", "system": "Be exact."},
        "system is not read with an instruction; write the row as messages",
    ),
    "earlier turns of Alpaca rows": (
        {"instruction": "x", "output": "y", "history": [["a", "b"]]},
        "history is not read with an instruction; write the row as messages",
    ),
    "null as images": ({"prompt": "x", "completion": "y", "images": None}, "images is null; write"),
    "null as image": ({"prompt": "x", "completion": "y", "image": None}, "image is null; write"),
    "an image in base64": (
        {"prompt": "x", "completion": "y", "image": "data:image/png;base64,AAAA"},
        "image contains an image as base64; write it to a file",
    ),
    "an image in base64 as input": (
        {"instruction": "x", "input": "data:image/png;base64,AAAA", "output": "y"},
        "input contains an image as base64; write it to a file",
    ),
    "several images as input": (
        {"instruction": "x", "input": "images/1.png\nimages/2.png", "output": "y"},
        "input names 2 images; write them as a list",
    ),
    "a prompt that is the name of a file": (
        {"prompt": "images/1", "completion": "y"},
        "is the name of",
    ),
    "half a character": ({"instruction": "x", "output": "\ud800"}, "unpaired surrogate"),
}


@pytest.mark.parametrize(("data", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_an_invalid_row_is_rejected_naming_the_field(data, message):
    with pytest.raises(RowError, match=message):
        parse_row(data)


UNREAD_KEYS = {
    "image_path": ("a.png", "image"),
    "image_paths": (["a.png"], "images"),
    "Image": ("a.png", "image"),
    "Images": (["a.png"], "images"),
    "imgs": (["a.png"], "images"),
    "file_name": ("a.png", "image"),
    "filename": ("scans/0001", "image"),
    "image_url": ("https://x.example/page?id=7", "image"),
    "document": ("a.HEIC", "image"),
    "page_file": ("a.pdf", "image"),
    "Input": ("a.png", "input"),
    "picture": ({"path": "a.png", "bytes": None}, "image"),
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, (value, _) in UNREAD_KEYS.items()])
@pytest.mark.parametrize("row", [{"instruction": "x", "output": "y"}, {"prompt": "x", "completion": "y"}])
def test_an_image_under_an_unknown_key_is_named_with_the_nearest_known_key(key, value, row):
    near = "image" if key == "Input" and "prompt" in row else UNREAD_KEYS[key][1]
    with pytest.raises(RowError, match=rf"key '{key}' is not read, .*; write it as '{near}'"):
        parse_row({**row, key: value})


@pytest.mark.parametrize("key", ["image_2", "image2", "img_path", "images_1"])
def test_a_second_image_under_an_unknown_key_is_named(key):
    with pytest.raises(RowError, match=f"key '{key}' is not read"):
        parse_row({"prompt": "x", "completion": "y", "image": "a.png", key: "b.png"})


UNREAD_IN_MESSAGES = {
    "of a message": {"role": "user", "content": "a", "images": ["a.png"]},
    "of a part": {"role": "user", "content": [{"type": "image", "path": "a.png"}]},
}


@pytest.mark.parametrize("message", UNREAD_IN_MESSAGES.values(), ids=UNREAD_IN_MESSAGES)
def test_an_image_under_an_unknown_key_in_messages_is_named(message):
    with pytest.raises(RowError, match=r"messages\[0\]: key '.*' is not read"):
        parse_row({"messages": [message, TURNS[1]], "images": ["a.png"]})


@pytest.mark.parametrize(
    "mark",
    [
        *("<|vision_start|><|image_pad|><|vision_end|>", "<img>a.png</img>", "<|image|>", "<|image_1|>"),
        *("<IMAGE>", "<Image>", "<image_placeholder>", "<start_of_image>", "<|IMAGE_PLACEHOLDER|>", "[IMG]"),
    ],
)
@pytest.mark.parametrize("row", [{"image": "a.png"}, {}], ids=["with image", "without image"])
def test_a_mark_of_another_program_in_a_prompt_is_rejected(mark, row):
    with pytest.raises(RowError, match="is no mark of an image here; write <image>"):
        parse_row({"prompt": f"{mark}Read.", "completion": "x", **row})
