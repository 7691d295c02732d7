import re
import subprocess
import sys

PROGRAM = """
import time
from finscribe_trainer.reporting import RunReporter

def reads_a_share_that_is_gone():
    time.sleep(1.5)

reporter = RunReporter(run="r", job="j")
reporter.limit_steps(0.3)
reporter.doing("a batch in time")
reporter.doing("a batch that hangs")
reads_a_share_that_is_gone()
"""


def test_what_hangs_leaves_the_stacks_of_all_threads_in_the_log_once():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert len(re.findall("reads_a_share_that_is_gone", ended.stderr)) == 1, ended.stderr
