"""The watchdog ends a process that does not end by itself."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, sys, time
from finscribe_operator.watchdog import Watchdog

watchdog = Watchdog(seconds=0.5)
watchdog.start()
print("started", flush=True)

async def main():
    stop = watchdog.stop_event()
    {body}

asyncio.run(main())
sys.exit(3)
"""
BODIES = {
    "a process that stops by itself": ("await stop.wait()", 3),
    "a task that ignores the signal": ("await asyncio.Event().wait()", 1),
    "an event loop that hangs": ("time.sleep(3600)", 1),
    "a thread that hangs": (
        "await stop.wait(); __import__('threading').Thread(target=time.sleep, args=(3600,)).start()",
        1,
    ),
}


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(("body", "code"), BODIES.values(), ids=BODIES.keys())
def test_a_signal_ends_the_process_in_time(sent: signal.Signals, body: str, code: int):
    command = [sys.executable, "-c", PROGRAM.replace("{body}", body)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.send_signal(sent)
        assert process.wait(timeout=30) == code
