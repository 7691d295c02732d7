from pathlib import Path

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_core.errors import FailureReason, UserError
from finscribe_core.parsing import parse_strictly
from finscribe_core.trainer_config import TrainerConfig
from finscribe_core.yaml_files import read_documents

JOB = """\
apiVersion: finscribe.io/v1alpha1
kind: FineTuneJob
metadata: {name: invoices}
spec:
  model: {source: "hf://PaddlePaddle/PaddleOCR-VL"}
  dataset:
    train: s3://team-docs/train.jsonl
  training:
    learningRate: 2e-5
  output: {uri: s3://team-models/invoices}
"""


def parse(path: Path, model: type = FineTuneJob):
    return parse_strictly(model, read_documents(path)[0])


def test_a_number_with_an_exponent_and_no_point_is_a_number(write):
    assert parse(write(JOB)).spec.training.learning_rate == 2e-5


@pytest.mark.parametrize("text", ["1e3", "1.5e-4", ".5", "2.", "-3E+2", "1.0"])
def test_floats_are_read_as_kubernetes_tools_read_them(write, text: str):
    assert isinstance(read_documents(write(f"value: {text}"))[0].data["value"], float)


@pytest.mark.parametrize("text", ["1.2.3", "e5", "0x1f", "12", '"2e-5"', "s3://a/1e5"])
def test_other_texts_are_not_floats(write, text: str):
    assert not isinstance(read_documents(write(f"value: {text}"))[0].data["value"], float)


MISTAKES = {
    "an unknown key, with the closest known one": (
        JOB.replace("learningRate", "learningrate"),
        "job.yaml:9: unknown key spec.training.learningrate; did you mean learningRate?",
    ),
    "a key in the spelling of the trainer's file": (
        JOB.replace("learningRate", "learning_rate"),
        "job.yaml:9: unknown key spec.training.learning_rate; did you mean learningRate?",
    ),
    "a key in the wrong place": (
        JOB.replace("    train:", "    bogus: 1\n    train:"),
        "job.yaml:7: unknown key spec.dataset.bogus.",
    ),
    "a number in quotes": (
        JOB.replace("2e-5", '"2e-5"'),
        "job.yaml:9: spec.training.learningRate must be a number, but '2e-5' in quotes is a text; "
        "remove the quotes.",
    ),
    "a number out of its limits": (
        JOB.replace("2e-5", "2"),
        "job.yaml:9: spec.training.learningRate: Input should be less than or equal to 1, got 2.",
    ),
    "a missing field, at the line of its parent": (
        JOB.replace("train:", "validation:"),
        "job.yaml:6: spec.dataset.train is required.",
    ),
    "a broken rule, at the line of its object": (
        JOB.replace("    train:", "    validation: s3://a-b/v.jsonl\n    validationSplit: 0.1\n    train:"),
        "job.yaml:6: spec.dataset: dataset.validation and dataset.validationSplit are mutually exclusive",
    ),
    "a key that is set twice": (
        JOB.replace("  output:", "    learningRate: 1\n  output:"),
        "job.yaml:10: spec.training.learningRate is set twice (first in line 9).",
    ),
    "a tab where YAML wants spaces": (
        JOB.replace("    train:", "\ttrain:"),
        "job.yaml:7: not valid YAML:",
    ),
    "an invalid date": (
        JOB.replace("invoices}", "2024-13-45}"),
        "job.yaml:3: not valid YAML: '2024-13-45'",
    ),
    "a tag that does not match the text": (
        JOB.replace("2e-5", "!!float abc"),
        "job.yaml:9: not valid YAML: 'abc' is not a valid float.",
    ),
    "a number without digits": (
        JOB.replace("2e-5", "0b_"),
        "job.yaml:9: not valid YAML: '0b_' is not a valid int.",
    ),
    "more digits than Python converts": (
        JOB.replace("2e-5", "0x" + "f" * 5000),
        "job.yaml:9: not valid YAML: '0xfff",
    ),
    "a control character": (
        JOB.replace("2e-5", "2\a"),
        "job.yaml:9: not valid YAML: character #x0007 is not",
    ),
    "a NUL in quotes": (JOB.replace("2e-5", '"\\0"'), "job.yaml:9: not valid YAML: a text contains a NUL"),
    "an alias inside its own definition": (
        JOB.replace("training:", "training: &here").replace("2e-5", "*here"),
        "job.yaml:8: spec.training.learningRate contains itself.",
    ),
    "brackets where a key belongs": (
        JOB.replace("2e-5", "{{ rate }}"),
        "job.yaml:9: a list or a mapping can't be a key.",
    ),
    "too deep nesting": ("[" * 2000, "job.yaml:1: too deeply nested."),
    "a file that is too large": ("#" * 2**21, "job.yaml: more than 1,048,576 characters."),
    "aliases of aliases": (
        "a0: &a0 []\n" + "".join(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(12)),
        "job.yaml:1: more than 1,000,000 values",
    ),
    "a list where an object belongs": (
        "- a\n- b\n",
        "job.yaml:1: the document must be a mapping of keys to values.",
    ),
    "a text for a section": (
        JOB.replace("training:\n    learningRate: 2e-5", "training: fast"),
        "job.yaml:8: spec.training must be a mapping of keys to values.",
    ),
    "a section without keys": (
        JOB.replace("training:\n    learningRate: 2e-5", "training:"),
        "job.yaml:8: spec.training must be a mapping of keys to values; remove the key for its defaults.",
    ),
    "an unknown choice": (
        JOB.replace("  training:", "  method: Full\n  training:"),
        "job.yaml:8: spec.method: Input should be 'LoRA' or 'QLoRA', got 'Full'.",
    ),
    "an unknown key in a list": (
        JOB.replace("  training:", "  pod:\n    tolerations:\n      - efect: NoSchedule\n  training:"),
        "job.yaml:10: unknown key spec.pod.tolerations[0].efect; did you mean effect?",
    ),
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_an_error_is_reported_with_file_line_and_field(write, text: str, message: str):
    with pytest.raises(UserError) as caught:
        parse(write(text))

    assert caught.value.reason == FailureReason.InvalidConfig
    assert message in str(caught.value)


def test_all_errors_are_reported_at_once(write):
    text = JOB.replace("2e-5", "2").replace("    train:", "    bogus: 1\n    train:")

    with pytest.raises(UserError) as caught:
        parse(write(text))

    assert len(str(caught.value).splitlines()) == 2


def test_a_missing_file_is_reported(tmp_path: Path):
    with pytest.raises(UserError, match=r"missing\.yaml: no such file"):
        read_documents(tmp_path / "missing.yaml")


def test_several_documents_keep_their_own_lines(write):
    documents = read_documents(write(f"---\n{JOB}---\n{JOB}"))

    assert [document.where(("spec", "output")).rsplit(":", 1)[1] for document in documents] == ["11", "22"]


def test_empty_documents_are_skipped(write):
    assert read_documents(write("---\n---\n# nothing\n")) == []


def test_merged_keys_may_be_overridden(write):
    document = read_documents(write("base: &base {a: 1}\nother:\n  <<: *base\n  a: 2\n"))[0]

    assert document.data["other"] == {"a": 2}


def test_only_the_first_of_many_unknown_keys_are_named(write):
    with pytest.raises(UserError) as caught:
        parse(write(JOB + "".join(f"key{i}: 1\n" for i in range(5000))))

    named = str(caught.value).splitlines()
    assert len(named) == 21
    assert named[-1].endswith("unknown keys: 4980 more.")


GUIDE = (Path(__file__).parents[2] / "cases/training_guide.yaml").read_text()


def test_the_config_of_the_training_guide_is_valid(write):
    config = parse(write(GUIDE), TrainerConfig)

    assert (config.lora.r, config.lora.alpha, config.lora.dropout) == (16, 32, 0.05)
    assert config.training.learning_rate == 2e-5
    assert config.output_dir == "./finetuned_paddleocr_invoice_model"


MISTAKES_IN_A_CONFIG = {
    "no LoRA": ("lora: {enabled: false}", "lora.enabled must be true"),
    "a setting in two spellings": (
        "lora: {alpha: 1, lora_alpha: 2}",
        "job.yaml:2: lora.lora_alpha is the same setting as lora.alpha; remove one.",
    ),
    "a section in two spellings": (
        "early_stopping: {patience: 1}\nearlyStopping: {patience: 2}",
        "job.yaml:3: earlyStopping is the same setting as early_stopping; remove one.",
    ),
    "a setting in two places": (
        "training: {metric_for_best_model: eval_nted}\nearly_stopping: {metric: eval_loss}",
        "job.yaml:2: training.metric_for_best_model is the same setting as early_stopping.metric, which has "
        "another value",
    ),
    "a metric beside a text for a section": (
        "training: {metric_for_best_model: eval_loss}\nearly_stopping: abc",
        "job.yaml:3: early_stopping must be a mapping",
    ),
    "an unknown weight": (
        "loss: {weights: {table_cell_tokn: 2.0}}",
        "job.yaml:2: loss: loss.weights accepts table_cell_token and regular_token, but not table_cell_tokn",
    ),
    "another weight of all tokens": ("loss: {weights: {regular_token: 0.5}}", "regular_token must be 1"),
    "weights that are not a mapping": ("loss: {weights: 3}", "loss.weights must be a mapping"),
    "a flag that is not a boolean": ("loss: {weighted: maybe}", "loss.weighted must be true or false"),
}


@pytest.mark.parametrize(("text", "message"), MISTAKES_IN_A_CONFIG.values(), ids=MISTAKES_IN_A_CONFIG.keys())
def test_an_error_in_a_trainer_config_is_reported(write, text: str, message: str):
    with pytest.raises(UserError) as caught:
        parse(write(f"dataset_path: train.jsonl\n{text}\n"), TrainerConfig)

    assert message in str(caught.value)


def test_weighted_false_removes_all_weights_in_any_spelling(write):
    text = "{weighted: false, weights: {table_cell_token: 2}, number_weight: 3, fieldWeights: {total: 2}}"

    assert not parse(write(f"dataset_path: train.jsonl\nloss: {text}\n"), TrainerConfig).loss.weighted


@pytest.mark.parametrize("spelling", ["max_sequence_length", "maxSequenceLength", "max_seq_length"])
def test_a_setting_has_its_common_spellings(write, spelling: str):
    text = GUIDE.replace("gradient_checkpointing: true", f"{spelling}: 512")

    assert parse(write(text), TrainerConfig).training.max_sequence_length == 512
