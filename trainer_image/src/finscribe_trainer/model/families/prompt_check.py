"""Finds rows that a model can't take: with special tokens, or refused by its chat template."""

from collections.abc import Iterator

from finscribe_trainer.data.rows import Row
from finscribe_trainer.documents.problems import Problem
from finscribe_trainer.model.families.base import Family, PromptError

DROPPED = "dropped-message"
"""The rule of a message that is not in the prompt: the row can be used, so this is no error."""


def prompt_problems(row: Row, family: Family) -> Iterator[Problem]:
    """The problems of a row's prompt and answer: rules `reserved-token`, `chat-template`, DROPPED."""
    texts = [turn.text for turn in row.turns]
    for token in dict.fromkeys(family.reserved_tokens.findall("\n".join((*texts, row.completion)))):
        yield Problem("reserved-token", "", f"a text contains {token!r}, a special token of the model")
    try:
        prompt = family.render_prompt(row.turns)
    except PromptError as error:
        yield Problem("chat-template", "", f"the model's chat template refuses the row: {error}")
        return
    for turn in row.turns:
        if turn.text.strip() not in prompt:
            yield Problem(DROPPED, "", f"the model's chat template leaves out the {turn.role} message")
            return
