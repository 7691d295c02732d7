import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from finscribe_core.errors import UserError
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.tuning.sweep.space import changed, read_space, validate_space

BASE = TrainerConfig.model_validate({"dataset_path": "train.jsonl"})


@pytest.mark.parametrize(
    ("text", "distribution", "choices"),
    [
        ("log:1e-6:1e-3", FloatDistribution(1e-6, 1e-3, log=True), ()),
        ("0:0.2", FloatDistribution(0.0, 0.2), ()),
        ("1:5", IntDistribution(1, 5), ()),
        ("log:1:64", IntDistribution(1, 64, log=True), ()),
        ("8,16,32", CategoricalDistribution((0, 1, 2)), (8, 16, 32)),
        ("cosine,linear", CategoricalDistribution((0, 1)), ("cosine", "linear")),
        ("[q_proj],[q_proj, v_proj]", CategoricalDistribution((0, 1)), (["q_proj"], ["q_proj", "v_proj"])),
    ],
)
def test_values_are_written_as_ranges_or_choices(text, distribution, choices):
    (parameter,) = read_space(None, [f"a.b={text}"])
    assert (parameter.distribution, parameter.choices) == (distribution, choices)


def test_a_file_defines_a_space_and_arguments_take_precedence(tmp_path):
    file = tmp_path / "space.yaml"
    file.write_text(
        "training.learning_rate: {low: 1e-6, high: 1e-3, log: true}\n"
        "lora.r: {choices: [8, 16]}\n"
        "lora.dropout: {low: 0.0, high: 0.1}\n"
    )
    rate, rank, dropout = read_space(file, ["lora.lora_dropout=0.0:0.5"])
    assert rate.distribution == FloatDistribution(1e-6, 1e-3, log=True)
    assert rank.choices == (8, 16)
    assert dropout.distribution == FloatDistribution(0.0, 0.5)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("lora.lora_alpha: {low: 8, high: 64}", "the setting lora.alpha is given twice"),
        ("3: {low: 8, high: 64}", "3 is not a setting"),
    ],
)
def test_an_invalid_or_repeated_setting_in_a_file_is_rejected_with_its_line(tmp_path, second, message):
    file = tmp_path / "space.yaml"
    file.write_text(f"lora.alpha: {{choices: [8, 16]}}\n{second}\n")
    with pytest.raises(UserError, match=f"space.yaml:2: {message}"):
        read_space(file, [])


def test_two_arguments_for_the_same_setting_are_rejected():
    with pytest.raises(UserError, match=r"lora\.alpha is given twice"):
        read_space(None, ["lora.alpha=8,16", "lora.lora_alpha=32,64"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.b=1e-3", "neither a range nor choices"),
        ("a.b=1:2:3", "neither a range nor choices"),
        ("a.b=x:y", "neither a range nor choices"),
        ("a.b=log:0:1", "low"),
        ("a.b=5:1", "low"),
        ("a.b", "neither a range nor choices"),
    ],
)
def test_other_values_are_rejected(text, message):
    with pytest.raises(UserError, match=message):
        read_space(None, [text])


def test_an_empty_space_is_rejected():
    with pytest.raises(UserError, match="search space is empty"):
        read_space(None, [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training.learning_rat=0:1", "did you mean learning_rate"),
        ("lora.dropout=0.0:1.5", "lora.dropout=1.5: lora.dropout: Input should be less than 1"),
        ("training.lr_scheduler_type=cosine,sine", "lr_scheduler_type"),
        ("output_dir=a,b", "output_dir can't be part of a search space"),
        ("outputDir=a,b", "outputDir can't be part of a search space"),
    ],
)
def test_invalid_settings_and_values_are_rejected_before_the_first_trial(text, message):
    with pytest.raises(UserError, match=message):
        validate_space(BASE, read_space(None, [text]))


def test_settings_are_set_in_the_config_by_their_path():
    config = changed(BASE, {"lora.lora_alpha": 8, "training.learning_rate": 1e-4})
    assert (config.lora.alpha, config.training.learning_rate) == (8, 1e-4)
