"""Counts the tokens of rows and finds reserved tokens of a model in their texts."""

from collections.abc import Iterator

from finscribe_trainer.data.dataset import Example
from finscribe_trainer.documents.problems import Problem
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.source import find_local_or_hub_model


class TokenCheck:
    """Validates rows with a model's processor; its weights are not loaded.

    Args:
        model: a folder or a hub id.
        max_tokens: limit above which a row gets a finding.

    Raises:
        UserError: ModelNotFound, ModelUnsupported.
    """

    def __init__(self, model: str, max_tokens: int) -> None:
        self._family = load_family(find_local_or_hub_model(model, None))
        self._max_tokens = max_tokens

    def check(self, example: Example) -> tuple[int, list[Problem]]:
        """The row's number of tokens, and its problems."""
        count = self._family.count_tokens(example)
        return count, list(self._problems(example, count))

    def _problems(self, example: Example, count: int) -> Iterator[Problem]:
        if count > self._max_tokens:
            yield Problem("too-many-tokens", "", f"{count} tokens, more than {self._max_tokens}")
        text = "\n".join((*(turn.text for turn in example.row.turns), example.row.completion))
        for token in dict.fromkeys(self._family.reserved_tokens):
            if token in text:
                yield Problem("reserved-token", "", f"a text contains {token!r}")
