import re
import subprocess
import sys

PROGRAM = """
import time
from finscribe_trainer.reporting import RunReporter

def read_from_unreachable_share():
    time.sleep(1.5)

reporter = RunReporter(run="r", job="j")
reporter.set_step_timeout(0.3)
reporter.set_activity("a batch in time")
reporter.set_activity("a batch that hangs")
read_from_unreachable_share()
"""


def test_a_hung_activity_dumps_the_stacks_of_all_threads_once():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert len(re.findall("read_from_unreachable_share", ended.stderr)) == 1, ended.stderr
