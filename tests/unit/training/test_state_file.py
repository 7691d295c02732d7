"""A trainer_state.json of a wrong type is named as damaged."""

import json

import pytest

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.training.checkpoints import STATE_FILE, read_checkpoint

STATES = {
    "nested too deep": "[" * 100_000,
    "a list": "[]",
    "a step that is a text": json.dumps({"global_step": "3"}),
    "a history that is a mapping": json.dumps({"global_step": 3, "log_history": {"loss": 1}}),
    "a history of numbers": json.dumps({"global_step": 3, "log_history": [1, 2]}),
    "callbacks that are a list": json.dumps({"global_step": 3, "stateful_callbacks": []}),
}


@pytest.mark.parametrize("state", STATES)
def test_a_state_of_a_wrong_type_is_named_as_damaged(state, tmp_path):
    folder = tmp_path / "checkpoint-3"
    folder.mkdir()
    (folder / STATE_FILE).write_text(STATES[state])

    with pytest.raises(UserError, match=f"{STATE_FILE} is missing or damaged") as caught:
        read_checkpoint(folder)
    assert caught.value.reason is FailureReason.InvalidConfig
