"""Combined outcome of a run's processes, and distribution of rows to them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finscribe_core.constants import EXIT_DONE, EXIT_INTERNAL, EXIT_RETRY, EXIT_USER_ERROR
from finscribe_core.errors import UserError
from finscribe_trainer.batches.dataset import EncodedExamples, RowKey
from finscribe_trainer.distributed.join import join
from finscribe_trainer.distributed.launch import combined_outcome
from finscribe_trainer.model.batch import IGNORE_INDEX
from finscribe_trainer.training.sampler import EvenlyPaddedSampler

OUTCOMES = {
    "done": ([EXIT_DONE, EXIT_DONE], {0: 1.0}, None, (EXIT_DONE, 0)),
    "the first is done, another was stopped while exiting": (
        *([EXIT_DONE, EXIT_RETRY], {1: 1.0, 0: 2.0}, None),
        (EXIT_DONE, 0),
    ),
    "stopped": ([EXIT_RETRY, EXIT_RETRY], {0: 1.0}, None, (EXIT_RETRY, 0)),
    "the other failed first": (
        *([EXIT_INTERNAL, EXIT_USER_ERROR], {1: 1.0, 0: 2.0}, None),
        (EXIT_USER_ERROR, 1),
    ),
    "the first lost the other, which reported the cause": (
        [EXIT_RETRY, EXIT_INTERNAL],
        {1: 1.0},
        None,
        (EXIT_INTERNAL, 1),
    ),
    "one was killed, and the first reported an error": ([EXIT_INTERNAL, -9], {0: 1.0}, 1, (137, None)),
    "no process wrote a message": ([1, EXIT_RETRY], {}, None, (1, None)),
    "ended by the launcher after another had failed": (
        *([-15, EXIT_USER_ERROR], {1: 1.0}, None),
        (EXIT_USER_ERROR, 1),
    ),
}


@pytest.mark.parametrize("case", OUTCOMES)
def test_the_process_that_failed_first_decides_exit_code_and_message(case):
    codes, written, killed, outcome = OUTCOMES[case]
    assert combined_outcome(codes, written, killed) == outcome


@given(num_rows=st.integers(1, 50), rows_at_once=st.integers(1, 16))
def test_every_process_gets_equally_many_rows_and_none_counts_twice(num_rows, rows_at_once):
    rows = [RowKey(index, 3) for index in range(num_rows)]
    shares = EvenlyPaddedSampler(rows, rows_at_once)
    asked = list(shares)
    assert len(asked) == len(shares)
    assert len(asked) % rows_at_once == 0
    assert [key for key in asked if not key.padding] == rows
    assert len(asked) - num_rows < rows_at_once


def test_a_padding_row_has_no_labels(dataset, family):
    examples = EncodedExamples(dataset.examples, family)
    row, padding = examples[RowKey(0, 0)], examples[RowKey(0, 0, padding=True)]
    assert (padding["labels"] == IGNORE_INDEX).all()
    assert (padding["input_ids"] == row["input_ids"]).all()


def test_more_processes_than_gpus_are_rejected(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(UserError, match="4 processes were started on this machine, which has 2 visible GPUs"):
        join(step_timeout_seconds=10)
