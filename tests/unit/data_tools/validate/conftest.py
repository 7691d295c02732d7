import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data_tools.validate.answers import AnswerCheck
from finscribe_trainer.data_tools.validate.validate import Checks, Report, Validator

Validate = Callable[..., Report]


def write_rows(path: Path, rows: Iterable[Any]) -> Path:
    """Rows given as bytes are written unchanged."""
    path.write_bytes(
        b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)
    )
    return path


def consume(rows: Iterable[None]) -> None:
    for _ in rows:
        pass


@pytest.fixture
def validate(tmp_path: Path) -> Validate:
    """`validate(rows)` validates rows; `against=` gives the rows of a validation set."""

    def run(
        rows: Iterable[Any], against: Iterable[Any] = (), schema: str | None = None, max_findings: int = 1000
    ) -> Report:
        report = Report(max_findings)
        validator = Validator(Checks(AnswerCheck(schema), max_image_pixels=10_000), report)
        held_out = DataFile(write_rows(tmp_path / "val.jsonl", against), "val.jsonl")
        train = DataFile(write_rows(tmp_path / "train.jsonl", rows), "train.jsonl")
        consume(validator.read_held_out(held_out))
        consume(validator.validate(train))
        return report

    return run
