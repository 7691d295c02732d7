"""What must be fast imports no torch."""

import subprocess
import sys

CODE = """
import sys
from click.testing import CliRunner
from finscribe_core.cli import main_command
for command in ("train", "evaluate", "compare", "predict"):
    assert CliRunner().invoke(main_command, [command, "--help"]).exit_code == 0
    assert "torch" not in sys.modules, command
import finscribe_trainer.pipeline.launcher
assert "torch" not in sys.modules, "the launcher"
"""


def test_neither_help_nor_the_launcher_of_several_processes_imports_torch():
    subprocess.run([sys.executable, "-c", CODE], check=True)
