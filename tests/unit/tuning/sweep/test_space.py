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


def test_a_file_says_the_same_and_an_argument_counts_more(tmp_path):
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
    ("second", "said"),
    [
        ("lora.lora_alpha: {low: 8, high: 64}", "the setting lora.alpha is given twice"),
        ("3: {low: 8, high: 64}", "3 is not a setting"),
    ],
)
def test_a_line_of_a_file_that_names_no_setting_or_one_again_is_refused(tmp_path, second, said):
    file = tmp_path / "space.yaml"
    file.write_text(f"lora.alpha: {{choices: [8, 16]}}\n{second}\n")
    with pytest.raises(UserError, match=f"space.yaml:2: {said}"):
        read_space(file, [])


def test_an_argument_for_a_setting_that_another_names_is_refused():
    with pytest.raises(UserError, match=r"lora\.alpha is given twice"):
        read_space(None, ["lora.alpha=8,16", "lora.lora_alpha=32,64"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a.b=1e-3", "neither a range nor choices"),
        ("a.b=1:2:3", "neither a range nor choices"),
        ("a.b=x:y", "neither a range nor choices"),
        ("a.b=log:0:1", "low"),
        ("a.b=5:1", "low"),
        ("a.b", "neither a range nor choices"),
    ],
)
def test_anything_else_is_refused(text, said):
    with pytest.raises(UserError, match=said):
        read_space(None, [text])


def test_a_sweep_of_nothing_is_refused():
    with pytest.raises(UserError, match="search space is empty"):
        read_space(None, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("training.learning_rat=0:1", "did you mean learning_rate"),
        ("lora.dropout=0.0:1.5", "lora.dropout=1.5: lora.dropout: Input should be less than 1"),
        ("training.lr_scheduler_type=cosine,sine", "lr_scheduler_type"),
        ("output_dir=a,b", "output_dir can't be part of a search space"),
        ("outputDir=a,b", "outputDir can't be part of a search space"),
    ],
)
def test_values_that_can_not_be_are_refused_before_anything_is_trained(text, said):
    with pytest.raises(UserError, match=said):
        validate_space(BASE, read_space(None, [text]))


def test_settings_come_into_the_config_by_their_path():
    config = changed(BASE, {"lora.lora_alpha": 8, "training.learning_rate": 1e-4})
    assert (config.lora.alpha, config.training.learning_rate) == (8, 1e-4)
