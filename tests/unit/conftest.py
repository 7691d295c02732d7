import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from finscribe_trainer.data.files import DataFile


@pytest.fixture
def write_rows(tmp_path: Path):
    """Writes rows (objects, or raw lines) as rows.jsonl and gives the file."""

    def write(*rows: object) -> DataFile:
        lines = [row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows]
        (tmp_path / "rows.jsonl").write_bytes(b"".join(lines))
        return DataFile(tmp_path / "rows.jsonl", "rows.jsonl")

    return write


@pytest.fixture(autouse=True)
def only_marked_tests_train(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that lets an optimizer step is marked `train`: `make test-unit` stays quick."""
    if "torch" not in sys.modules or request.node.get_closest_marker("train"):
        yield
        return
    from torch.optim.optimizer import register_optimizer_step_pre_hook  # noqa: PLC0415 - if torch is loaded

    handle = register_optimizer_step_pre_hook(_fail)
    yield
    handle.remove()


def _fail(*_: object) -> None:
    pytest.fail("This test trains: mark it with @pytest.mark.train.", pytrace=False)
