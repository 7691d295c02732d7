"""`finscribe ui` prints an address that works until Ctrl+C."""

import signal
import subprocess
import sys
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, build_opener, urlopen

import pytest

from tests.unit.client.ui.places import write_training


def test_the_address_that_is_printed_opens_the_pages_until_ctrl_c(tmp_path: Path):
    write_training(tmp_path / "run", {"seed": 1})
    command = [sys.executable, "-m", "finscribe_core.cli", "ui", str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        address = process.stdout.readline().removeprefix("Open ").strip()
        with build_opener(HTTPCookieProcessor(CookieJar())).open(address) as page:
            assert "folder1/run" in page.read().decode()
        with pytest.raises(HTTPError, match="401"):
            urlopen(address.partition("?")[0])
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr.read() == "Ctrl+C ends it.\n"
