"""Starts the operator on a machine whose clock is wrong: `python -m tests.apiserver.other_clock`."""

import os
import time

from finscribe_operator.__main__ import main

ENV_SECONDS = "TEST_CLOCK_SECONDS"
"""Seconds that are added to the time; negative for a clock that is slow."""

if __name__ == "__main__":
    _time, _seconds = time.time, float(os.environ[ENV_SECONDS])
    time.time = lambda: _time() + _seconds
    main()
