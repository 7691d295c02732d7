import json
import logging
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from finscribe_core.errors import UserError
from finscribe_trainer.cli.compare import compare
from finscribe_trainer.evaluation.evaluate_and_compare import (
    ComparedModel,
    InferenceOptions,
    evaluate_and_compare,
)
from finscribe_trainer.evaluation.results import write_results
from tests.support.comparison import results_of

GOLD = {"vendor": {"name": "Acme"}, "total": "12.50"}
OPTIONS = InferenceOptions("test.jsonl", None, 2, 8)


@pytest.fixture
def process():
    """Restores signal handlers and logging, which a command replaces."""
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
    """Results files of a base model without a correct field and of a tuned one with all correct."""
    paths = {name: tmp_path / f"{name}.json" for name in ("base", "tuned")}
    write_results(results_of("base", [(GOLD, "{}")] * 8), paths["base"])
    write_results(results_of("tuned", [(GOLD, GOLD)] * 8), paths["tuned"])
    return paths


def test_results_files_are_compared_without_a_model(process, results, tmp_path):
    output = tmp_path / "evaluation" / "report.md"
    arguments = ["--baseline-results", results["base"], "--finetuned-results", results["tuned"]]
    done = CliRunner().invoke(compare, [*map(str, arguments), "--output", str(output)])
    assert done.exit_code == 0, done.output
    for text in ("Field Accuracy", "+100.0", "Field accuracy: 100 % with the tuned model", str(output)):
        assert text in done.output
    assert sorted(path.name for path in output.parent.iterdir()) == ["report.html", "report.md"]


@pytest.mark.parametrize(
    ("base", "tuned", "options", "message"),
    [
        ({}, {"model": "m"}, {}, "--baseline-model or --baseline-results is missing"),
        ({"model": "m"}, {"model": "m", "results": "r"}, {}, "--finetuned-model and --finetuned-results are"),
        ({"model": "m"}, {"model": "m"}, {"source": None}, "--test-dir is missing"),
        ({"results": "r"}, {"results": "r"}, {}, "have no effect when both models are given as results"),
        ({"model": "m"}, {"results": "r", "base_model": "b"}, {}, "--base-model has no effect"),
    ],
    ids=["no base", "tuned twice", "no documents", "documents without models", "no adapter"],
)
def test_contradictory_options_are_rejected(tmp_path, base, tuned, options, message):
    models = [
        ComparedModel(option, **{"model": None, "results": None, **given}, output=tmp_path / "never.json")
        for option, given in (("baseline", base), ("finetuned", tuned))
    ]
    with pytest.raises(UserError) as error:
        evaluate_and_compare(*models, replace(OPTIONS, **options))
    assert message in error.value.message


@pytest.fixture
def test_set(sample: Path, tmp_path: Path) -> Path:
    """A folder for --test-dir, with four documents."""
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copytree(sample / "images", folder / "images")
    shutil.copy(sample / "val.jsonl", folder / "test.jsonl")
    return folder


@pytest.mark.train
def test_two_models_are_evaluated_once_on_the_same_documents(sample, test_set, tmp_path):
    model = str(sample / "model")
    base = ComparedModel("baseline", model, None, tmp_path / "results-base.json")
    tuned = ComparedModel("finetuned", model, None, tmp_path / "results-tuned.json")
    options = replace(OPTIONS, source=str(test_set), max_new_tokens=None)
    first, pages = evaluate_and_compare(base, tuned, options)
    assert len(first.documents) == 4
    assert all((test_set / name) == path for name, path in pages.items())
    assert first.base.settings == first.tuned.settings
    assert (first.improved, first.regressed) == (0, 0)

    written = {compared.output: compared.output.stat().st_mtime_ns for compared in (base, tuned)}
    assert evaluate_and_compare(base, tuned, options) == (first, pages)
    assert written == {path: path.stat().st_mtime_ns for path in written}


def test_results_of_other_documents_are_rejected_before_inference(results, test_set, tmp_path):
    base = ComparedModel("baseline", None, results["base"], tmp_path / "never.json")
    tuned = ComparedModel("finetuned", "no/such-model", None, tmp_path / "results-tuned.json")
    with pytest.raises(UserError, match="the rows' sha256"):
        evaluate_and_compare(base, tuned, replace(OPTIONS, source=str(test_set)))


@pytest.mark.train
def test_a_model_uses_the_max_new_tokens_of_the_results_it_is_compared_with(sample, test_set, tmp_path):
    model = str(sample / "model")
    options = replace(OPTIONS, source=str(test_set))
    base = ComparedModel("baseline", model, None, tmp_path / "results-base.json")
    tuned = ComparedModel("finetuned", model, None, tmp_path / "results-tuned.json")
    evaluate_and_compare(base, tuned, options)
    tuned.output.unlink()
    again, _ = evaluate_and_compare(
        replace(base, model=None, results=base.output), tuned, replace(options, max_new_tokens=None)
    )
    assert json.loads(tuned.output.read_text())["settings"]["max_new_tokens"] == 8
    assert again.tuned.settings.max_new_tokens == 8
