import json
import logging
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from finscribe_core.errors import UserError
from finscribe_trainer.cli.compare import compare
from finscribe_trainer.evaluation.compare_sides import Reading, Side, compare_sides
from finscribe_trainer.evaluation.results import write_results
from tests.support.comparison import results_of

GOLD = {"vendor": {"name": "Acme"}, "total": "12.50"}
READING = Reading("test.jsonl", None, 2, 8)


@pytest.fixture
def process():
    """A command takes over signals and logging, as a process may: the tests get them back."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    yield
    root.handlers[:] = kept
    root.setLevel(level)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def results(tmp_path: Path) -> dict[str, Path]:
    """Results files of a base model that reads nothing and a tuned one that reads all."""
    paths = {name: tmp_path / f"{name}.json" for name in ("base", "tuned")}
    write_results(results_of("base", [(GOLD, "{}")] * 8), paths["base"])
    write_results(results_of("tuned", [(GOLD, GOLD)] * 8), paths["tuned"])
    return paths


def test_given_results_become_a_report_without_any_model(process, results, tmp_path):
    output = tmp_path / "evaluation" / "report.md"
    arguments = ["--baseline-results", results["base"], "--finetuned-results", results["tuned"]]
    done = CliRunner().invoke(compare, [*map(str, arguments), "--output", str(output)])
    assert done.exit_code == 0, done.output
    for said in ("Field Accuracy", "+100.0", "The tuned model reads 100 of 100 fields right", str(output)):
        assert said in done.output
    assert sorted(path.name for path in output.parent.iterdir()) == ["report.html", "report.md"]


def test_help_needs_no_torch():
    code = (
        "import sys; from click.testing import CliRunner; "
        "from finscribe_trainer.cli.compare import compare; "
        "assert CliRunner().invoke(compare, ['--help']).exit_code == 0; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("base", "tuned", "reading", "said"),
    [
        ({}, {"model": "m"}, {}, "--baseline-model or --baseline-results is missing"),
        ({"model": "m"}, {"model": "m", "results": "r"}, {}, "--finetuned-model and --finetuned-results are"),
        ({"model": "m"}, {"model": "m"}, {"source": None}, "--test-dir is missing"),
        ({"results": "r"}, {"results": "r"}, {}, "have no meaning when both sides are results"),
        ({"model": "m"}, {"results": "r", "base_model": "b"}, {}, "--base-model has no meaning"),
    ],
    ids=["no base", "tuned twice", "nothing to read", "nothing reads", "no adapter"],
)
def test_options_that_contradict_each_other_are_refused(tmp_path, base, tuned, reading, said):
    sides = [
        Side(option, **{"model": None, "results": None, **given}, output=tmp_path / "never.json")
        for option, given in (("baseline", base), ("finetuned", tuned))
    ]
    with pytest.raises(UserError) as refused:
        compare_sides(*sides, replace(READING, **reading))
    assert said in refused.value.message


@pytest.fixture
def test_set(sample: Path, tmp_path: Path) -> Path:
    """A folder as --test-dir names it, with four documents."""
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copytree(sample / "images", folder / "images")
    shutil.copy(sample / "val.jsonl", folder / "test.jsonl")
    return folder


@pytest.mark.train
def test_two_models_read_the_same_documents_once(sample, test_set, tmp_path):
    model = str(sample / "model")
    base = Side("baseline", model, None, tmp_path / "results-base.json")
    tuned = Side("finetuned", model, None, tmp_path / "results-tuned.json")
    reading = replace(READING, source=str(test_set), max_new_tokens=None)
    first = compare_sides(base, tuned, reading)
    assert len(first.readings) == 4
    assert first.base.settings == first.tuned.settings
    assert (first.better, first.worse) == (0, 0)

    written = {side.output: side.output.stat().st_mtime_ns for side in (base, tuned)}
    assert compare_sides(base, tuned, reading) == first
    assert written == {path: path.stat().st_mtime_ns for path in written}


def test_results_of_other_documents_are_refused_before_a_model_reads(results, test_set, tmp_path):
    base = Side("baseline", None, results["base"], tmp_path / "never.json")
    tuned = Side("finetuned", "no/such-model", None, tmp_path / "results-tuned.json")
    with pytest.raises(UserError, match="the rows' sha256"):
        compare_sides(base, tuned, replace(READING, source=str(test_set)))


def test_a_model_gets_the_limit_of_the_results_it_is_compared_with(sample, test_set, tmp_path):
    model = str(sample / "model")
    reading = replace(READING, source=str(test_set))
    base = Side("baseline", model, None, tmp_path / "results-base.json")
    tuned = Side("finetuned", model, None, tmp_path / "results-tuned.json")
    compare_sides(base, tuned, reading)
    tuned.output.unlink()
    again = compare_sides(
        replace(base, model=None, results=base.output), tuned, replace(reading, max_new_tokens=None)
    )
    assert json.loads(tuned.output.read_text())["settings"]["max_new_tokens"] == 8
    assert again.tuned.settings.max_new_tokens == 8
