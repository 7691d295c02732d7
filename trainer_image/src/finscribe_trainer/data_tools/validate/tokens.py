"""Counts the tokens of rows, and finds rows that a model can't take as they are."""

from finscribe_trainer.data.dataset import Example
from finscribe_trainer.documents.problems import Problem
from finscribe_trainer.model.families.prompt_check import prompt_problems
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

    def check(self, example: Example) -> tuple[int | None, list[Problem]]:
        """The row's number of tokens (None if it has no prompt), and its problems."""
        problems = list(prompt_problems(example.row, self._family))
        if any(problem.rule == "chat-template" for problem in problems):
            return None, problems
        count = self._family.count_tokens(example)
        if count > self._max_tokens:
            problems.append(Problem("too-many-tokens", "", f"{count} tokens, more than {self._max_tokens}"))
        return count, problems
