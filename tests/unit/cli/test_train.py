import re
import subprocess
import sys
from pathlib import Path

import pytest

from finscribe_core.constants import EXIT_USER_ERROR
from finscribe_core.errors import UserError
from finscribe_core.trainer_config import DifficultySchedule, Method, SelectionMetric
from finscribe_trainer.pipeline.config import load_config
from finscribe_trainer.reporting.server import http_port

CASES = Path(__file__).parents[2] / "cases"
GUIDE = (CASES / "training_guide.yaml").read_text()


@pytest.fixture
def guide(tmp_path):
    (tmp_path / "config.yaml").write_text(GUIDE)
    return tmp_path / "config.yaml"


def test_the_training_guides_config_loads_as_written(guide):
    config = load_config(guide, {})
    assert config.lora.alpha == 32
    assert config.training.learning_rate == 2e-5
    assert config.method is Method.LoRA


def test_the_command_line_takes_precedence_over_the_file(guide):
    guide.write_text(GUIDE + "validation_split: 0.1\n")
    config = load_config(
        guide,
        {"train_file": "t.jsonl", "val_file": "v.jsonl", "output_dir": "out", "use_quantization": True},
    )
    assert (config.dataset_path, config.validation_path, config.output_dir) == ("t.jsonl", "v.jsonl", "out")
    assert config.method is Method.QLoRA
    assert config.validation_split is None


LOCAL_PATHS = (
    "dataset_path", "validation_path", "test_path", "image_root", "output_dir", "feature_cache_dir",
    "model_name_or_path",
)  # fmt: skip


@pytest.mark.parametrize("name", LOCAL_PATHS)
def test_a_path_may_begin_at_the_home_folder(guide, name, monkeypatch):
    monkeypatch.setenv("HOME", "/home/team")
    for path, expected in {"~/x/y": "/home/team/x/y", "s3://b/~/x": "s3://b/~/x", "./~x": "./~x"}.items():
        config = load_config(guide, {"assignments": (f"{name}={path}",)})
        assert getattr(config, name) == expected


def test_a_difficulty_schedule_enables_the_curriculum_and_keeps_its_other_settings(guide):
    guide.write_text(GUIDE + "curriculum: {enabled: false, initialThreshold: 0.2}\n")
    curriculum = load_config(guide, {"difficulty_schedule": "hard_to_easy"}).curriculum
    assert (curriculum.enabled, curriculum.difficulty_schedule, curriculum.initial_threshold) == (
        True,
        DifficultySchedule.hard_to_easy,
        0.2,
    )


def test_a_setting_is_changed_by_its_dotted_path_in_any_spelling(guide):
    config = load_config(
        guide,
        {
            "assignments": (
                "training.learning_rate=1e-5",
                "lora.alpha=8",
                "loss.field_weights.line_items.quantity=2",
            )
        },
    )
    assert (config.training.learning_rate, config.lora.alpha) == (1e-5, 8)
    assert config.loss.field_weights == {"line_items.quantity": 2.0}
    assert config.training.warmup_ratio == 0.1


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        (
            "training.learnig_rate=1",
            r"--set training\.learnig_rate: unknown key .*did you mean learning_rate",
        ),
        ("training.seed=-1", r"^--set training\.seed: training\.seed: .*greater than or equal to 0"),
        ("lora.loraAlpha=-1", r"unknown key loraAlpha; did you mean alpha\?"),
        ("lora={r: 8, foo: 3}", "^--set lora: unknown key lora.foo"),
        (
            "training.metric_for_best_model=abc",
            "^--set training.metric_for_best_model: early_stopping.metric",
        ),
        ("method=LoRA", "--use-quantization and --set contradict each other on method"),
        ("training.learning_rate", "not an assignment"),
        ("output_dir.name=x", "output_dir has no settings below it"),
        ("output_dir=[", "not valid YAML"),
        ("training.seed=0b_", "--set training.seed=0b_: not valid YAML: '0b_' is not a valid int"),
        ("output_dir=\a", "not valid YAML: character #x0007 is not allowed"),
        ("lora={r: 8, r: 9}", "r is set twice"),
    ],
)
def test_an_invalid_assignment_is_rejected_with_its_name(guide, assignment, message):
    with pytest.raises(UserError, match=message):
        load_config(guide, {"assignments": (assignment,), "use_quantization": True, "strict": True})


@pytest.mark.parametrize(
    ("assignment", "section", "name", "value"),
    [
        ("lora.enabled=true", "lora", "r", 16),
        ("training.metric_for_best_model=eval_nted", "early_stopping", "metric", "eval_nted"),
        ("earlyStopping.metric=eval_nted", "early_stopping", "metric", "eval_nted"),
        ("loss.weights.table_cell_token=3", "loss", "table_cell_weight", 3),
        ("loss.table_cell_weight=3", "loss", "table_cell_weight", 3),
        ("loss.weighted=false", "loss", "table_cell_weight", 1),
    ],
)
def test_a_setting_with_two_places_is_changed_in_either(assignment, section, name, value):
    config = load_config(CASES / "wider_config.yaml", {"assignments": (assignment,)})
    assert getattr(getattr(config, section), name) == value


def test_errors_name_the_flag_or_the_line_that_set_the_value(guide):
    guide.write_text(GUIDE + "method: abc\n")
    with pytest.raises(UserError) as caught:
        load_config(guide, {"output_dir": ""})
    assert re.search(r"^--output-dir: output_dir: ", str(caught.value), re.MULTILINE)
    assert re.search(r"config\.yaml:\d+: method: ", str(caught.value))


def test_an_empty_config_is_reported_as_empty(guide):
    guide.write_text("# nothing\n")
    with pytest.raises(UserError, match="is empty"):
        load_config(guide, {})


def test_a_port_must_be_ascii_digits(monkeypatch):
    monkeypatch.setenv("FINSCRIBE_HTTP_PORT", "²")
    with pytest.raises(UserError, match="is not a port number"):
        http_port()


def test_an_unknown_key_causes_a_warning_with_its_line_and_the_nearest_key(guide, caplog):
    guide.write_text(GUIDE.replace("learning_rate", "learnig_rate"))
    named = r"config\.yaml:15: unknown key training\.learnig_rate; did you mean learning_rate\?"

    assert load_config(guide, {}).training.learning_rate == 2e-5
    assert re.search(named, caplog.text)
    with pytest.raises(UserError, match=named):
        load_config(guide, {"strict": True})


@pytest.mark.parametrize(
    "arguments",
    [["sweep", "--param", "lora.r=8,16"], ["experiments", "run", "experiments.yaml"]],
    ids=lambda arguments: arguments[0],
)
def test_commands_that_train_more_than_once_support_strict(guide, arguments):
    guide.write_text(GUIDE.replace("learning_rate", "learnig_rate"))
    (guide.parent / "experiments.yaml").write_text("experiments: [{name: wide, overrides: {lora.r: 32}}]")
    command = [sys.executable, "-m", "finscribe_core.cli", *arguments, "--config", str(guide), "--strict"]
    done = subprocess.run(command, cwd=guide.parent, capture_output=True, text=True, check=False)
    assert done.returncode == EXIT_USER_ERROR
    assert "unknown key training.learnig_rate" in done.stderr
    assert sorted(path.name for path in guide.parent.iterdir()) == ["config.yaml", "experiments.yaml"]


def test_a_config_with_keys_of_other_tools_loads_and_reports_them(caplog):
    config = load_config(CASES / "wider_config.yaml", {})

    assert config.loss.table_cell_weight == 2.0
    assert config.loss.field_weights == {"line_item_table": 2.5, "financial_summary": 2.0}
    assert (config.training.warmup_steps, config.training.max_sequence_length) == (100, 2048)
    assert config.early_stopping.metric is SelectionMetric.eval_field_accuracy
    named = re.findall(r"unknown key ([\w.]+\w)", caplog.text)
    assert named == [
        "augmentation.elastic_probability",
        "evaluation.thresholds",
        "data",
        "run_name",
    ]
