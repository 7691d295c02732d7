"""The first signal is acknowledged at once, in the format of the log; only one process of a run writes."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, signal
from finscribe_trainer.reporting import setup_logging
from finscribe_trainer.runtime.stop_signal import StopRequested, StopSignal
setup_logging()
stop = StopSignal(announce={announce})
stop.install()
try:
    with stop.deferred() if {training} else open(os.devnull):
        os.kill(os.getpid(), signal.{signal})
        os.write(2, b"the step goes on\\n")
except StopRequested:
    pass
"""


def lines_after(number: str = "SIGINT", *, training: bool = True, announce: bool = True) -> list[str]:
    script = SCRIPT.format(signal=number, training=training, announce=announce)
    env = {**os.environ, "FINSCRIBE_LOG_FORMAT": "text"}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    return done.stderr.splitlines()


@pytest.mark.parametrize(
    ("number", "training", "message"),
    [
        ("SIGINT", True, "Stopping after this step, with a checkpoint. Press Ctrl+C again to exit at once."),
        ("SIGTERM", True, "Stopping after this step, with a checkpoint."),
        ("SIGINT", False, "Stopping now. Press Ctrl+C again to exit at once."),
    ],
)
def test_the_first_signal_is_acknowledged_before_the_step_ends(number, training, message):
    first, *rest = lines_after(number, training=training)
    assert first.endswith(f"WARNING finscribe_trainer.runtime.stop_signal: {message}")
    assert rest == (["the step goes on"] if training else [])


def test_only_one_process_of_a_run_writes():
    assert lines_after(announce=False) == ["the step goes on"]


def test_ctrl_c_while_the_trainer_starts_is_acknowledged():
    script = (
        "import os, signal; from finscribe_trainer.cli import train;"
        "signal.signal(signal.SIGINT, train._exit_before_the_session); os.kill(os.getpid(), signal.SIGINT)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 75
    assert done.stderr == "error (Interrupted): Stopped before the training began.\n"
