from pathlib import Path

import pytest
import yaml

from finscribe_core.errors import UserError
from finscribe_core.experiments import plan_variants, read_experiments
from finscribe_core.trainer_config import TrainerConfig

BASE = TrainerConfig.model_validate(
    {"dataset_path": "train.jsonl", "training": {"learning_rate": 2e-5}, "lora": {"lora_alpha": 32}}
)


@pytest.fixture
def plan(tmp_path: Path):
    """Plans the experiments of a file with this text or list."""

    def planned(given):
        text = given if isinstance(given, str) else yaml.safe_dump({"experiments": given})
        (tmp_path / "e.yaml").write_text(text)
        return plan_variants(*read_experiments(tmp_path / "e.yaml"), BASE)

    return planned


def test_every_experiment_is_the_baseline_with_its_changes(plan):
    baseline, lower, narrow = plan(
        [
            {"name": "lower-lr", "overrides": {"training.learning_rate": 1e-5}},
            {"name": "narrow", "overrides": {"lora": {"alpha": 8}}},
        ]
    )
    assert (baseline.name, baseline.config, baseline.overrides) == ("baseline", BASE, {})
    assert lower.config.training == BASE.training.model_copy(update={"learning_rate": 1e-5})
    assert narrow.overrides == {"lora.alpha": 8}
    assert narrow.config.lora == BASE.lora.model_copy(update={"alpha": 8})


def test_an_experiment_that_changes_nothing_is_the_baseline(plan):
    unchanged = {"name": "as-now", "overrides": {"training.learning_rate": 2e-5}}
    other = {"name": "other", "overrides": {"training.seed": 1}}
    assert [variant.name for variant in plan([other, unchanged])] == ["as-now", "other"]


def test_all_fields_of_an_experiment_are_read(plan):
    _, experiment = plan(
        """
experiments:
  - name: low_lr
    description: A lower learning rate
    overrides: {training.learning_rate: 1.0e-5}
    test_params: [learning_rate]
    expected_behavior: slower, steadier
    notes: none
"""
    )
    assert (experiment.name, experiment.expected_behavior) == ("low_lr", "slower, steadier")


@pytest.mark.parametrize(("test_params", "warned"), [([], True), (["r"], True), (["r", "lora.alpha"], False)])
def test_an_experiment_that_changes_several_settings_gets_a_warning_unless_it_names_them(
    plan, caplog, test_params, warned
):
    plan([{"name": "wide", "overrides": {"lora.r": 32, "lora.alpha": 64}, "test_params": test_params}])
    assert ("can't be separated" in caplog.text) is warned


LOWER = "  - name: lower\n    overrides:\n      training.learning_rate: 1.0e-5\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (LOWER + LOWER, 5, "the name lower is used twice"),
        (LOWER + LOWER.replace("lower", "same"), 6, "same has the same settings as lower"),
        (LOWER.replace("learning_rate", "learning_rat"), 4, "did you mean learning_rate?"),
        (LOWER.replace("1.0e-5", "-1"), 3, "training.learning_rate: Input should be greater than 0"),
        (LOWER.replace("training.learning_rate", "output_dir"), 4, "output_dir can't be changed"),
        (LOWER.replace("training.learning_rate", "outputDir"), 4, "outputDir can't be changed"),
        (
            LOWER + "      training: {learningRate: 2.0e-5}\n",
            5,
            "the setting training.learning_rate is changed twice",
        ),
        (LOWER.replace("training.learning_rate: 1.0e-5", "lora: {3: 4}"), 4, "unknown key 3"),
        (LOWER.replace("lower", "baseline"), 3, "baseline changes settings"),
        (LOWER.replace("lower", "../lower"), 2, "name"),
        (LOWER.replace("lower", "results.md"), 2, "the name results.md is reserved"),
        (LOWER.replace("lower", "Features"), 2, "the name Features is reserved"),
        (LOWER.replace("overrides", "override"), 3, "did you mean overrides?"),
    ],
)
def test_an_error_is_reported_with_its_line(plan, text, line, message):
    with pytest.raises(UserError) as error:
        plan(f"experiments:\n{text}")
    assert f"e.yaml:{line}: " in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"), [("# none yet", "e.yaml is empty."), ("a: 1\n---\nb: 2", "2 documents")]
)
def test_an_experiments_file_has_exactly_one_document(plan, text, message):
    with pytest.raises(UserError, match=message):
        plan(text)
