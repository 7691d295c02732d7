"""Every command that writes refuses a place that holds something else, or that another process is writing."""

import shutil
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from click.testing import Result

from finscribe_core.errors import FinscribeError
from finscribe_trainer.pipeline.export import write_config
from finscribe_trainer.runtime.outputs import claim_files, claim_folder
from tests.support.command import finscribe

CONFIG = ["--config", "config.yaml"]
FOLDERS: dict[str, tuple[list[str], str]] = {
    "sample": (["sample", "--output-dir", "out"], "train.jsonl"),
    "train": (["train", *CONFIG, "--output-dir", "out"], "final_model/adapter_model.safetensors"),
    "train, only metrics": (["train", *CONFIG, "--output-dir", "out"], "metrics.json"),
    "train, only a merged model": (["train", *CONFIG, "--output-dir", "out"], "merged_model/config.json"),
    "merge": (["merge", "--adapter-path", "adapter", "--output-dir", "out"], "config.json"),
    "experiments": (["experiments", "run", "plan.yaml", *CONFIG, "--output-dir", "out"], "results.md"),
    "experiments, a variant": (
        ["experiments", "run", "plan.yaml", *CONFIG, "--output-dir", "out"],
        "lower/x",
    ),
    "sweep": (
        ["sweep", *CONFIG, "--output-dir", "out", "--param", "training.learning_rate=1e-3,1e-4"],
        "best.yaml",
    ),
    "data generate": (["data", "generate", "--output-dir", "out", "--count", "1"], "train.jsonl"),
    "data split": (["data", "split", "--input", "train.jsonl", "--output-dir", "out"], "val.jsonl"),
}
"""Command, and a file in its output folder that belongs to somebody else."""
FILES: dict[str, tuple[list[str], str]] = {
    "lr-finder": (["lr-finder", *CONFIG, "--output", "out/lr.png"], "lr.png"),
    "lr-finder, its data": (["lr-finder", *CONFIG, "--output", "out/results.png"], "results.json"),
    "evaluate": (
        ["evaluate", "--test-dir", "val.jsonl", "--model-path", "model", "--output", "out/results.json"],
        "results.json",
    ),
    "compare": (
        [
            *("compare", "--test-dir", "val.jsonl", "--baseline-model", "model"),
            *("--finetuned-model", "model", "--output", "out/report.md"),
        ],
        "report.md",
    ),
    "predict": (["predict", "--model", "model", "images", "--output", "out/answers.jsonl"], "answers.jsonl"),
    "predict, a table": (["predict", "--model", "model", "images", "--output", "out/a.csv"], "a.csv"),
    "predict, reviews": (["predict", "--model", "model", "images", "--draft", "out/a.jsonl"], "a.jsonl"),
    "data validate": (["data", "validate", "--input", "val.jsonl", "--output", "out/rows.json"], "rows.md"),
    "data anonymize": (["data", "anonymize", "--input", "val.jsonl", "--output", "out/a.jsonl"], "a.jsonl"),
    "data corrections": (
        ["data", "corrections", "--input", "val.jsonl", "--output", "out/a.jsonl"],
        "a.jsonl",
    ),
    "data contact-sheet": (["data", "contact-sheet", *CONFIG, "--output", "out/sheet.png"], "sheet.png"),
    "data generate": (["data", "generate", "--contact-sheet", "out/sheet.jpg", "--count", "1"], "sheet.jpg"),
}
"""Command, and a file that it would replace."""


@pytest.fixture
def run(sample, config, tmp_path) -> Callable[[list[str]], Result]:
    shutil.copytree(sample, tmp_path, dirs_exist_ok=True)
    write_config(config, tmp_path / "config.yaml")
    plan = "experiments: [{name: lower, overrides: {training.learning_rate: 1.0e-4}}]\n"
    (tmp_path / "plan.yaml").write_text(plan)
    return lambda arguments: finscribe(arguments, tmp_path)


def exit_code(result: Result) -> int:
    """As of the process: the command line's entry point turns the exception into it."""
    return result.exception.exit_code if isinstance(result.exception, FinscribeError) else result.exit_code


@pytest.mark.parametrize(("arguments", "taken"), [*FOLDERS.values(), *FILES.values()], ids=[*FOLDERS, *FILES])
def test_a_command_refuses_a_place_that_holds_something_else(arguments, taken, run, tmp_path):
    mine = tmp_path / "out" / taken
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    result = run(arguments)
    assert exit_code(result) == 78, result.output
    assert "out" in f"{result.exception} {result.output}"
    assert [path.name for path in tmp_path.joinpath("out").iterdir()] == [taken.split("/")[0]]
    assert mine.read_text() == "mine"


@pytest.mark.parametrize(("arguments", "taken"), [*FOLDERS.values(), *FILES.values()], ids=[*FOLDERS, *FILES])
def test_a_command_refuses_a_place_that_another_process_writes(arguments, taken, run, tmp_path):
    out = tmp_path / "out"
    with ExitStack() as other:
        if arguments[-1].startswith("out/") or "out/" in "".join(arguments):
            name = next(argument for argument in arguments if argument.startswith("out/"))
            other.enter_context(claim_files(tmp_path / name))
        elif arguments[:2] == ["data", "split"]:
            other.enter_context(claim_files(out / "train.jsonl"))
        else:
            other.enter_context(claim_folder(out))
        before = {path: path.read_bytes() for path in out.iterdir()}
        result = run(arguments)
        assert exit_code(result) == 75, result.output
        assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_a_sample_is_overwritten_only_when_asked_and_keeps_other_files(run, tmp_path):
    (tmp_path / "out").mkdir()
    for name in ("train.jsonl", "notes.txt"):
        (tmp_path / "out" / name).write_text("mine")
    result = run(
        [
            "sample",
            "--output-dir",
            "out",
            "--rows",
            "1",
            "--validation-rows",
            "1",
            "--test-rows",
            "1",
            "--overwrite",
        ]
    )
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "out" / "train.jsonl").read_text() != "mine"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("train.jsonl", "val.jsonl", "test.jsonl", "test-template.jsonl", "images", "notes.txt")
    }
