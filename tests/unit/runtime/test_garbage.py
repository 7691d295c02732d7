"""What an import creates is not searched for garbage; all else is, afterwards."""

import gc
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from finscribe_trainer.runtime.garbage import imports_excluded


class Node:
    """May refer to itself."""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that holds one list, not yet imported."""
    (tmp_path / "holds_a_list.py").write_text("kept = [[]]\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "holds_a_list"
    sys.modules.pop("holds_a_list", None)


def test_what_an_import_creates_is_never_searched(module):
    with imports_excluded():
        assert not gc.isenabled()
        kept = __import__(module).kept
    assert gc.isenabled()
    assert not any(found is kept for found in gc.get_objects())


def test_what_exists_when_nothing_is_imported_is_still_collected():
    with imports_excluded():
        node = Node()
        node.itself = node
    gone = weakref.ref(node)
    del node
    gc.collect()
    assert gone() is None


LEAKS = """
import atexit, os, sys
from finscribe_trainer.runtime.garbage import imports_excluded
atexit.register(os.write, 2, b"leaked 513 functions!")  # the last to be called
with imports_excluded():
    import wave
print("an error", file=sys.stderr)
"""


def test_what_libraries_report_as_leaks_at_the_end_of_the_process_is_not_shown():
    ended = subprocess.run([sys.executable, "-c", LEAKS], capture_output=True, text=True, check=True)
    assert ended.stderr == "an error\n"
