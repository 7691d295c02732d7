import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from finscribe_core.errors import UserError
from finscribe_core.trainer_config import DocumentMetric
from finscribe_trainer.cli.evaluate import evaluate as command
from finscribe_trainer.evaluation.evaluate import evaluate_to_file, partial_answers_path
from finscribe_trainer.evaluation.generation import Answer
from finscribe_trainer.evaluation.loading import describe_model
from finscribe_trainer.evaluation.partial_answers import PartialAnswers, fingerprint
from finscribe_trainer.evaluation.results import Results, read_results
from finscribe_trainer.evaluation.sampling import sample_evenly
from finscribe_trainer.evaluation.test_set import TestSet, find_rows_file, load_test_set
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.source import ModelSource

pytestmark = pytest.mark.train

LIMIT = 8


@pytest.fixture
def output(tmp_path) -> Path:
    return tmp_path / "evaluation" / "results.json"


@pytest.fixture(scope="module")
def test_set(sample, tmp_path_factory) -> TestSet:
    """The four validation rows."""
    return load_test_set(str(sample), None, tmp_path_factory.mktemp("none") / "results.json")


@pytest.fixture
def evaluate(sample, test_set, output):
    """Evaluates the sample model on the four rows; tests override arguments."""

    def call(**changes):
        given = {"model": str(sample / "model"), "base_model": None, "batch_size": 2, "max_new_tokens": LIMIT}
        return evaluate_to_file(output, test_set=test_set, **{**given, **changes})

    return call


def write_adapter(sample: Path, folder: Path, **options) -> Path:
    """An adapter that changes every answer."""
    source = ModelSource(str(sample / "model"))
    config = LoraConfig(
        target_modules=r".*language_model.*(q|o)_proj", init_lora_weights=False, lora_alpha=64, **options
    )
    model = get_peft_model(load_family(source).load_model(source), config)
    model.peft_config["default"].base_model_name_or_path = source.location
    model.save_pretrained(folder)
    return folder


def test_the_command_writes_results_and_prints_metrics_with_intervals(sample, output, monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *_: None)  # pytest keeps its own Ctrl+C
    arguments = ["--test-dir", sample, "--model-path", sample / "model", "--output", output, "--limit", 3]
    done = CliRunner().invoke(command, [*map(str, arguments), "--max-new-tokens", str(LIMIT)])
    assert done.exit_code == 0, done.output
    lines = [line for line in done.stdout.splitlines() if ": 0.0% [0.0%, 0.0%]" in line]
    guide = ["Field Accuracy", "TEDS Score", "Numeric Accuracy", "Validation Pass Rate"]
    assert [line.split(":")[0] for line in lines[:4]] == guide
    written = json.loads(output.read_text())
    assert written["data"]["documents"] == 3 < written["data"]["rows"] == 4
    assert written["summary"]["metrics"].keys() == {str(metric) for metric in DocumentMetric}
    assert {"line_items.line_total", "vendor.name"} <= written["summary"]["fields"].keys()
    assert written["ceiling"]["json"]["value"] == 1
    names = [image for document in written["documents"] for image in document["images"]]
    assert names
    assert all((sample / name).is_file() and not Path(name).is_absolute() for name in names)
    assert [path.name for path in output.parent.iterdir()] == ["results.json"]


def test_results_are_read_back_as_written(evaluate, output):
    results = evaluate()
    assert read_results(output) == results


@pytest.mark.parametrize("spoilt", [b"", b"{}", b'{"model": 3}', b"\xff"])
def test_an_output_with_other_content_is_rejected_before_a_model_is_loaded(evaluate, output, spoilt):
    output.parent.mkdir()
    output.write_bytes(spoilt)
    with pytest.raises(UserError, match=r"results\.json: ") as caught:
        evaluate(model="no/model")
    assert "finscribe evaluate" in caught.value.remedy


@pytest.mark.parametrize("place", ["/proc/results.json", "/dev/full", "{sample}/train.jsonl/results.json"])
def test_an_unwritable_output_is_rejected_before_a_model_is_loaded(sample, test_set, place):
    with pytest.raises(UserError, match=r"can't be written|is not a file") as caught:
        evaluate_to_file(Path(place.format(sample=sample)), "no/model", None, test_set, 1, None)
    assert "another --output" in caught.value.remedy


def test_a_model_with_truncated_weights_is_rejected(evaluate, sample, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(sample / "model", model)
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])
    with pytest.raises(
        UserError, match=r"model has damaged weights: model\.safetensors \(.* bytes\) is cut off"
    ):
        evaluate(model=str(model))


def change_score(**metrics):
    """Sets metrics of the first document's score."""
    return lambda results: results["documents"][0]["score"]["metrics"].update(metrics)


EDITED = {
    "a metric that is NaN": (change_score(nted=[float("nan"), 1]), "a metric is not finite"),
    "a metric missing": (lambda results: results["documents"][0]["score"]["metrics"].pop("nted"), "nted"),
    "a document missing": (lambda results: results["documents"].pop(), "contains 3 documents, but .* is 4"),
}


@pytest.mark.parametrize(("edit", "expected"), EDITED.values(), ids=EDITED)
def test_invalid_results_are_rejected_naming_the_field(evaluate, output, edit, expected):
    evaluate()
    results = json.loads(output.read_text())
    edit(results)
    output.write_text(json.dumps(results))
    with pytest.raises(UserError, match=expected):
        read_results(output)


def keep(output: Path, results: Results, **changes) -> Path:
    """The partial answers of a process killed while writing its second; `changes` apply to the settings."""
    settings = replace(results.settings, **changes)
    kept = PartialAnswers(partial_answers_path(output), fingerprint(results.model, results.data, settings))
    kept.add(Answer(1, "read before", 3, cut_off=False, seconds=0.5))
    kept.close()
    with kept.path.open("a") as file:
        file.write('{"index": 2, "te')
    output.unlink()
    return kept.path


def predictions(results: Results) -> list[str]:
    return [document.predicted for document in results.documents]


def test_an_interrupted_evaluation_resumes(evaluate, output):
    whole = evaluate()
    kept = keep(output, whole)
    expected = predictions(whole)
    expected[1] = "read before"
    assert predictions(evaluate(batch_size=3)) == expected
    assert not kept.exists()


def test_answers_with_other_settings_are_not_reused(evaluate, output, caplog):
    whole = evaluate()
    keep(output, whole, max_new_tokens=LIMIT + 1)
    assert predictions(evaluate()) == predictions(whole)
    assert "starting from the beginning" in caplog.text


def test_a_complete_evaluation_is_not_repeated_and_another_not_overwritten(evaluate, output):
    results = evaluate()
    written = output.stat().st_mtime_ns
    assert evaluate(batch_size=1) == results
    with pytest.raises(UserError, match="contains another evaluation") as caught:
        evaluate(max_new_tokens=LIMIT + 1)
    assert "another --output" in caught.value.remedy
    assert output.stat().st_mtime_ns == written


def test_an_adapter_is_loaded_onto_the_base_it_names_or_the_given_one(evaluate, sample, output, tmp_path):
    plain = predictions(evaluate())
    output.unlink()
    adapter = write_adapter(sample, tmp_path / "adapter")
    tuned = evaluate(model=str(adapter))
    assert predictions(tuned) != plain
    assert tuned.model.base == str(sample / "model")
    output.unlink()

    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": "/gone"}))
    with pytest.raises(UserError, match=r"adapter_config\.json names: /gone: no such folder") as caught:
        evaluate(model=str(adapter))
    assert "--base-model" in caught.value.remedy
    assert predictions(evaluate(model=str(adapter), base_model=str(sample / "model"))) == predictions(tuned)


def without_weights(adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")


def of_another_shape(adapter: Path) -> None:
    weights = load_file(adapter / "adapter_model.safetensors")
    halved = {name: weight[..., : weight.shape[-1] // 2].contiguous() for name, weight in weights.items()}
    save_file(halved, adapter / "adapter_model.safetensors")


def without_base(adapter: Path) -> None:
    (adapter / "adapter_config.json").write_text('{"peft_type": "LORA"}')


def cut_off(adapter: Path) -> None:
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])


BAD_ADAPTERS = {
    "weights cut off": (cut_off, "does not fit .*header"),
    "pickled weights": (without_weights, "contains no adapter_model.safetensors"),
    "another model's": (of_another_shape, "does not fit .*: .*"),
    "no base named": (without_base, "names no base model"),
}


@pytest.mark.parametrize(("spoil", "message"), BAD_ADAPTERS.values(), ids=BAD_ADAPTERS)
def test_an_unusable_adapter_is_rejected(evaluate, sample, tmp_path, spoil, message):
    adapter = write_adapter(sample, tmp_path / "adapter")
    spoil(adapter)
    with pytest.raises(UserError, match=message):
        evaluate(model=str(adapter))


def test_a_base_model_for_a_complete_model_is_rejected(evaluate, sample):
    with pytest.raises(UserError, match="is not an adapter, so --base-model"):
        evaluate(base_model=str(sample / "model"))


FOLDERS = {
    "the test rows": (["train.jsonl", "val.jsonl", "test.jsonl"], "test.jsonl"),
    "else the validation rows": (["train.jsonl", "val.parquet"], "val.parquet"),
    "else every shard": (["part-0.jsonl", "part-1.jsonl"], ""),
}


@pytest.mark.parametrize(("names", "expected"), FOLDERS.values(), ids=FOLDERS)
def test_a_folder_stands_for(tmp_path, names, expected):
    for name in names:
        (tmp_path / name).touch()
    assert find_rows_file(str(tmp_path)) == str(tmp_path / expected)


def test_training_rows_are_never_used_as_test_rows(tmp_path):
    (tmp_path / "train.jsonl").touch()
    with pytest.raises(UserError, match="contains training rows, but neither"):
        find_rows_file(str(tmp_path))


@pytest.mark.parametrize("count", [0, 1, 7, 99, 100])
def test_a_sample_is_reproducible_and_covers_the_whole_set(count):
    sample = sample_evenly(range(100), count)
    assert sample == sample_evenly(range(100), count)
    assert len(sample) == count
    assert all(100 * i // count <= item < 100 * (i + 1) // count for i, item in enumerate(sample))
    assert sample_evenly(sample, 1000) == sample


def test_the_results_name_the_commit_of_a_hub_model(tmp_path, monkeypatch):
    commits = ["0123456789abcdef0123456789abcdef01234567", "89abcdef0123456789abcdef0123456789abcdef"]
    cached = tmp_path / "models--org--reader"
    (cached / "refs").mkdir(parents=True)
    for revision, commit in zip(("main", "v2"), commits, strict=True):
        (cached / "snapshots" / commit).mkdir(parents=True)
        (cached / "snapshots" / commit / "config.json").write_text("{}")
        (cached / "refs" / revision).write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    found = [
        describe_model(ModelSource("org/reader", revision), "org/reader", None) for revision in (None, "v2")
    ]
    assert [info.revision for info in found] == commits
    assert found[0].fingerprint != found[1].fingerprint
