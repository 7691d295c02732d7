"""How a run's processes end as one, and how rows are dealt out to them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finscribe_core.constants import EXIT_DONE, EXIT_INTERNAL, EXIT_RETRY, EXIT_USER_ERROR
from finscribe_core.errors import UserError
from finscribe_trainer.batches.dataset import EncodedExamples, RowKey
from finscribe_trainer.distributed.join import join
from finscribe_trainer.distributed.launch import outcome_of
from finscribe_trainer.model.batch import IGNORE_INDEX
from finscribe_trainer.training.sampler import EvenlyPaddedSampler

OUTCOMES = {
    "done": ([EXIT_DONE, EXIT_DONE], {0: 1.0}, None, (EXIT_DONE, 0)),
    "the first is done, another was asked to stop while leaving": (
        *([EXIT_DONE, EXIT_RETRY], {1: 1.0, 0: 2.0}, None),
        (EXIT_DONE, 0),
    ),
    "stopped": ([EXIT_RETRY, EXIT_RETRY], {0: 1.0}, None, (EXIT_RETRY, 0)),
    "the other failed first": (
        *([EXIT_INTERNAL, EXIT_USER_ERROR], {1: 1.0, 0: 2.0}, None),
        (EXIT_USER_ERROR, 1),
    ),
    "the first lost the other, which said why": (
        [EXIT_RETRY, EXIT_INTERNAL],
        {1: 1.0},
        None,
        (EXIT_INTERNAL, 1),
    ),
    "killed, and the first complained": ([EXIT_INTERNAL, -9], {0: 1.0}, 1, (137, None)),
    "nobody said a word": ([1, EXIT_RETRY], {}, None, (1, None)),
    "ended by us after one had failed": ([-15, EXIT_USER_ERROR], {1: 1.0}, None, (EXIT_USER_ERROR, 1)),
}


@pytest.mark.parametrize("case", OUTCOMES)
def test_the_process_that_failed_first_says_how_all_ended(case):
    codes, spoken, killed, outcome = OUTCOMES[case]
    assert outcome_of(codes, spoken, killed) == outcome


@given(num_rows=st.integers(1, 50), rows_at_once=st.integers(1, 16))
def test_every_process_gets_as_many_rows_and_none_counts_twice(num_rows, rows_at_once):
    rows = [RowKey(index, 3) for index in range(num_rows)]
    shares = EvenlyPaddedSampler(rows, rows_at_once)
    asked = list(shares)
    assert len(asked) == len(shares)
    assert len(asked) % rows_at_once == 0
    assert [key for key in asked if not key.padding] == rows
    assert len(asked) - num_rows < rows_at_once


def test_of_a_filler_nothing_is_learned(dataset, family):
    examples = EncodedExamples(dataset.examples, family)
    row, filler = examples[RowKey(0, 0)], examples[RowKey(0, 0, padding=True)]
    assert (filler["labels"] == IGNORE_INDEX).all()
    assert (filler["input_ids"] == row["input_ids"]).all()


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(UserError, match="4 processes were started on this machine, which shows 2 GPUs"):
        join(step_timeout_seconds=10)
