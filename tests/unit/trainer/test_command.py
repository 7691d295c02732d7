import subprocess
import sys
from pathlib import Path

import pytest

from finscribe_core.errors import UserError
from finscribe_core.trainer_config import Method
from finscribe_trainer.command import load_config

GUIDE = (Path(__file__).parents[2] / "cases/training_guide.yaml").read_text()


@pytest.fixture
def guide(tmp_path):
    (tmp_path / "config.yaml").write_text(GUIDE)
    return tmp_path / "config.yaml"


def test_the_training_guides_config_loads_as_written(guide):
    config = load_config(guide, {})
    assert config.lora.alpha == 32
    assert config.training.learning_rate == 2e-5
    assert config.method is Method.LoRA


def test_the_command_line_wins_over_the_file(guide):
    guide.write_text(GUIDE + "validation_split: 0.1\n")
    config = load_config(
        guide,
        {"train_file": "t.jsonl", "val_file": "v.jsonl", "output_dir": "out", "use_quantization": True},
    )
    assert (config.dataset_path, config.validation_path, config.output_dir) == ("t.jsonl", "v.jsonl", "out")
    assert config.method is Method.QLoRA
    assert config.validation_split is None


def test_a_misspelt_key_is_named_with_its_line_and_the_nearest_key(guide):
    guide.write_text(GUIDE.replace("learning_rate", "learnig_rate"))
    with pytest.raises(
        UserError, match=r"config\.yaml:15: unknown key training\.learnig_rate.*learning_rate"
    ):
        load_config(guide, {})


def test_help_needs_no_torch():
    code = (
        "import sys; from click.testing import CliRunner; from finscribe_trainer.command import train; "
        "assert CliRunner().invoke(train, ['--help']).exit_code == 0; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
