"""What an import creates is not searched for garbage; all else is, afterwards."""

import gc
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
