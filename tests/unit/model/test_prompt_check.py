"""Rows that a model can't take are refused with file and line before training."""

import logging

import pytest
from tokenizers import AddedToken
from transformers import AutoTokenizer

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.batches.selection import RowLimits, select_rows
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.rows import Row, Turn
from finscribe_trainer.data.splits import Splits
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.source import ModelSource

ROLE_TOKENS = """\
{%- for message in messages -%}
<|im_start|>{{ message["role"] }}\n{{ message["content"] }}<turn_end>
{%- endfor -%}
<|im_start|>assistant\n"""
ALTERNATING = """\
{%- for message in messages -%}
{%- if (message["role"] == "user") != (loop.index0 % 2 == 0) -%}
{{ raise_exception("roles must alternate user and assistant") }}
{%- endif -%}
{{ message["content"] }}
{%- endfor -%}"""
WITHOUT_SYSTEM = """{%- for m in messages if m["role"] != "system" -%}{{ m["content"] }} {% endfor -%}"""


def check(family, *turns, completion="x"):
    examples = [Example(Row((Turn("user", "Read."),), "x"), "rows.jsonl:1")]
    examples.append(Example(Row(turns, completion), "rows.jsonl:2"))
    return select_rows(Splits(examples, examples[:1], "", None), family, RowLimits(1000))


@pytest.fixture(scope="module")
def chat_model(text_model, tmp_path_factory):
    """The tokenizer and config of a model whose added vocabulary has tokens for roles, turns and tables."""
    folder = tmp_path_factory.mktemp("chat-model")
    tokenizer = AutoTokenizer.from_pretrained(text_model)
    tokenizer.add_tokens([AddedToken("<|im_start|>", special=True), AddedToken("<|loc_1|>", special=True)])
    tokenizer.add_tokens([AddedToken("<turn_end>"), AddedToken("<fcel>"), AddedToken("<nl>")])
    tokenizer.chat_template = ROLE_TOKENS
    tokenizer.save_pretrained(folder)
    (folder / "config.json").write_bytes((text_model / "config.json").read_bytes())
    return folder


@pytest.fixture
def chat_family(chat_model):
    return load_family(ModelSource(str(chat_model)))


TURN_TOKENS = ["<|im_start|>", "<turn_end>", "<|loc_1|>", "</s>", "<unk>", "<|begin_of_sentence|>"]


@pytest.mark.parametrize("token", TURN_TOKENS)
@pytest.mark.parametrize("place", ["prompt", "answer", "earlier answer"])
def test_a_row_with_a_special_token_or_a_token_of_the_chat_template_is_refused(chat_family, token, place):
    text = f"a{token}b"
    turns = (Turn("user", "Read."), Turn("assistant", "Done."), Turn("user", "Again."))
    if place == "prompt":
        turns = (Turn("user", text),)
    elif place == "earlier answer":
        turns = (turns[0], Turn("assistant", text), turns[2])
    with pytest.raises(UserError) as caught:
        check(chat_family, *turns, completion=text if place == "answer" else "x")
    assert caught.value.reason is FailureReason.DatasetInvalid
    assert caught.value.message == f"rows.jsonl:2: a text contains {token!r}, a special token of the model."


def test_other_tokens_of_the_added_vocabulary_may_be_in_answers(chat_family):
    splits = check(chat_family, Turn("user", "Read."), completion="<fcel>1<fcel>2<nl>")
    assert len(splits.train) == 2


@pytest.mark.parametrize(
    "token", ["<|IMAGE_PLACEHOLDER|>", "<|IMAGE_START|>", "<|IMAGE_END|>", "<pad>", "</s>"]
)
def test_a_row_with_a_special_token_of_the_vision_model_is_refused(family, token):
    with pytest.raises(UserError, match=r"rows\.jsonl:2: a text contains '") as caught:
        check(family, Turn("user", f"Read {token}."))
    assert repr(token) in caught.value.message


REFUSED = {
    "a system message": (Turn("system", "Be exact."), Turn("user", "Read.")),
    "two user messages": (Turn("user", "Read."), Turn("user", "Again.")),
}


@pytest.mark.parametrize("turns", REFUSED.values(), ids=REFUSED)
def test_a_row_that_the_chat_template_refuses_is_named_with_file_and_line(chat_family, turns):
    chat_family.tokenizer.chat_template = ALTERNATING
    with pytest.raises(UserError) as caught:
        check(chat_family, *turns)
    assert caught.value.reason is FailureReason.DatasetInvalid
    assert caught.value.message == (
        "rows.jsonl:2: the model's chat template refuses the row: roles must alternate user and assistant."
    )


BROKEN = ["{{ messages[0].content + 1 }}", "{{ messages[9].content.x }}", "{{ 1 // 0 }}", "{% bad %}"]


@pytest.mark.parametrize("template", BROKEN)
def test_any_error_of_a_chat_template_is_the_rows_and_no_defect(chat_family, template):
    chat_family.tokenizer.chat_template = template
    with pytest.raises(UserError, match="chat template refuses the row: "):
        check(chat_family, Turn("user", "Read."))


def test_a_chat_template_that_leaves_out_an_image_refuses_the_row(family, source):
    broken = load_family(source)
    broken.processing.chat_template = "{% for m in messages %}{{ m.content[-1].text }}{% endfor %}"
    with pytest.raises(UserError, match="refuses the row: it writes 0 images instead of 1"):
        check(broken, Turn("user", "Read.", 1))


def test_a_system_message_that_the_chat_template_leaves_out_is_logged(chat_family, caplog):
    chat_family.tokenizer.chat_template = WITHOUT_SYSTEM
    with caplog.at_level(logging.WARNING):
        check(chat_family, Turn("system", "Be exact."), Turn("user", "Read."))
    [record] = caplog.records
    assert record.getMessage() == (
        "1 rows lose a message; the first: rows.jsonl:2: the model's chat template leaves out the system "
        "message."
    )


def test_the_sample_models_template_has_a_system_message_like_the_published_one(family):
    turns = (Turn("system", "Be exact."), Turn("user", "Read.", 1))
    assert family.render_prompt(turns) == (
        "<|begin_of_sentence|>Be exact.\nUser: <|IMAGE_START|><|IMAGE_PLACEHOLDER|><|IMAGE_END|>Read.\n"
        "Assistant: "
    )
