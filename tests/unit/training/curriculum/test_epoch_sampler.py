from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from accelerate.data_loader import prepare_data_loader, skip_first_batches
from torch.utils.data import DataLoader
from transformers import TrainerControl, TrainerState, TrainingArguments

from finscribe_core.trainer_config import CurriculumSpec, DifficultySchedule, Pacing
from finscribe_trainer.batches.dataset import RowKey
from finscribe_trainer.training.curriculum.pacing import Curriculum
from finscribe_trainer.training.sampler import DataOrder, EpochBegin, EpochSampler

NUM_ROWS = 12


class Keys:
    """A data set that returns each requested key as the item."""

    def __len__(self) -> int:
        return NUM_ROWS

    def __getitem__(self, key: RowKey) -> RowKey:
        return key


def begin_epoch(callback: EpochBegin, epoch: float) -> None:
    state = TrainerState(epoch=epoch)
    callback.on_epoch_begin(cast("TrainingArguments", SimpleNamespace()), state, TrainerControl())


def batches(process: int, num_processes: int, epoch: float, skipped: int) -> Iterator[list[RowKey]]:
    """The batches of one process in an epoch, loaded as Hugging Face's Trainer does."""
    sampler = EpochSampler(DataOrder(NUM_ROWS, seed=1))
    plain: DataLoader[Any] = DataLoader(Keys(), 2, sampler=sampler, collate_fn=list)  # type: ignore[arg-type] # no Dataset
    loader = prepare_data_loader(plain, num_processes=num_processes, process_index=process)
    begin_epoch(EpochBegin(sampler), epoch)
    rest = skip_first_batches(loader, skipped) if skipped else loader
    rest.set_epoch(int(epoch))
    yield from rest


@pytest.mark.parametrize(("epoch", "skipped"), [(0.0, 0), (1.0, 0), (2.0, 0), (1 + 1 / 3, 1)])
@pytest.mark.parametrize("num_processes", [1, 2, 3])
def test_each_process_gets_its_share_of_the_epochs_order(num_processes, epoch, skipped):
    shares = [list(batches(process, num_processes, epoch, skipped)) for process in range(num_processes)]
    used = [key for batch in zip(*shares, strict=True) for share in batch for key in share]
    order = DataOrder(NUM_ROWS, seed=1).of(int(epoch))[2 * num_processes * skipped :]
    assert used == [RowKey(row, int(epoch)) for row in order]


def test_each_epoch_logs_how_many_rows_take_part(caplog):
    caplog.set_level("INFO")
    spec = CurriculumSpec(enabled=True, difficulty_schedule=DifficultySchedule.hard_to_easy)
    sampler = EpochSampler(DataOrder(NUM_ROWS, 1, Curriculum(spec, range(NUM_ROWS), num_epochs=2)))
    begin_epoch(EpochBegin(sampler), 1.0)
    assert caplog.messages == [
        "curriculum, epoch 2: hard_to_easy, threshold 75% to 100%: 9 to 12 of 12 rows are in use"
    ]


def test_rows_that_are_never_used_cause_a_warning(caplog):
    spec = CurriculumSpec(enabled=True, pacing=Pacing.step)
    sampler = EpochSampler(DataOrder(NUM_ROWS, 1, Curriculum(spec, range(NUM_ROWS), num_epochs=0.5)))
    callback = EpochBegin(sampler)
    callback.on_train_begin(cast("TrainingArguments", None), TrainerState(), TrainerControl())
    [warning] = caplog.messages
    assert warning.startswith("curriculum: 6 of 12 rows are never used; raise training.num_train_epochs")
