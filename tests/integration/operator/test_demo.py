"""`finscribe demo` with its defaults."""

import asyncio
import os
import re
import subprocess
import sys

import pytest

from tests.support.result_layout import EXAMPLE_LAYOUT, layout_of


@pytest.mark.timeout(900)
async def test_the_demo_ends_with_an_adapter_that_beats_the_base_model(tmp_path):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "finscribe_core.cli", "demo"),
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode()

    assert process.returncode == 0, output
    assert "of the base model" in output
    assert re.search(r"^results/invoices/\s*\n  latest\.json ", output, re.MULTILINE), output
    assert "Early stopping" in output
    results = tmp_path / "finscribe-demo" / "results" / "invoices"
    (run,) = (results / "runs").iterdir()
    files = [path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file()]
    assert layout_of(files, run.name) == EXAMPLE_LAYOUT
