"""`finscribe demo` with a short training; tests/e2e has the whole."""

import re
import subprocess
import sys

import pytest

from finscribe_operator.local.demo import find_example
from tests.support.demo import run_demo
from tests.support.result_layout import EXAMPLE_LAYOUT, layout_of

STEPS = 300
MIN_FIELD_ACCURACY = 0.05
"""On documents whose values were not trained."""


@pytest.mark.timeout(900)
def test_a_short_demo_ends_with_an_adapter_that_reads_fields_of_unseen_documents(tmp_path):
    sample = tmp_path / "finscribe-demo/sample"
    command = [sys.executable, "-m", "finscribe_core.cli", "sample", "--output-dir", str(sample)]
    subprocess.run([*command, "--rows=1200", "--validation-rows=8", "--test-rows=8"], check=True)
    job = tmp_path / "job.yaml"
    example = find_example().read_text()
    shorter = re.sub(r"numTrainEpochs: .*", f"maxSteps: {STEPS}", example)
    job.write_text(re.sub(r"evalSteps: .*", f"evalSteps: {STEPS // 3}", shorter))

    demo = run_demo(tmp_path, "--job", str(job))

    assert demo.metric("base", "field_accuracy") == 0
    assert demo.metric("tuned", "field_accuracy") > MIN_FIELD_ACCURACY
    files = [path.relative_to(demo.results).as_posix() for path in demo.results.rglob("*") if path.is_file()]
    assert layout_of(files, demo.run.name) == EXAMPLE_LAYOUT | {"runs/<run>/evaluation/results-template.json"}
    assert re.search(r"^results/invoices/\s*\n  latest\.json ", demo.output, re.MULTILINE), demo.output
    for printed in ("of the base model", "field accuracy", "of an unseen template", "ground truth"):
        assert printed in demo.output
    assert f"open {demo.run}/evaluation/report.html" in demo.output
