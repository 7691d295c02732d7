"""`--resume` with something that is no checkpoint says what it is, and names the newest checkpoint."""

from collections.abc import Callable
from pathlib import Path

import pytest

from finscribe_core.errors import UserError
from finscribe_trainer.training.checkpoints import read_checkpoint
from tests.support.checkpoint import write_checkpoint


def an_adapter(folder: Path) -> Path:
    adapter = folder / "final_model"
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").write_bytes(b"")
    return adapter


def a_file(folder: Path) -> Path:
    (folder / "notes.txt").write_text("x")
    return folder / "notes.txt"


def another_folder(folder: Path) -> Path:
    (folder / "logs").mkdir()
    return folder / "logs"


NAMED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a missing folder": (lambda folder: folder / "checkpoint-9", "checkpoint-9: no such folder."),
    "a missing folder below a missing one": (lambda folder: folder / "a/checkpoint-9", "no such folder."),
    "the output folder": (lambda folder: folder, "is not a checkpoint: it contains checkpoints."),
    "the result": (an_adapter, "is an adapter, which has no state to resume from."),
    "a file": (a_file, "is a file; a checkpoint is a folder."),
    "another folder": (another_folder, "is not a checkpoint."),
}


@pytest.mark.parametrize(("named", "message"), NAMED.values(), ids=NAMED)
def test_what_is_no_checkpoint_is_called_what_it_is(named, message, tmp_path):
    for step in (7, 12):
        write_checkpoint(tmp_path / f"checkpoint-{step}", {"global_step": step})
    folder = named(tmp_path)
    with pytest.raises(UserError) as caught:
        read_checkpoint(folder)
    assert message in caught.value.message
    assert "trainer_state.json" not in caught.value.message
    if folder.parent.exists():
        assert "checkpoint-12" in caught.value.remedy
