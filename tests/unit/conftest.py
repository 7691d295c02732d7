import json
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
