from pathlib import Path

import pytest

from finscribe_operator.local.mounts import Mounts

MOUNTS = Mounts({"/workspace": Path("/state/work"), "/workspace/cache": Path("/workspace/mine")})


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("/workspace", "/state/work"),
        ("/workspace/output", "/state/work/output"),
        ("--dir=/workspace/output", "--dir=/state/work/output"),
        ("/workspace/a:/workspace/b", "/state/work/a:/state/work/b"),
        ("/workspace/cache/x", "/workspace/mine/x"),
        ("/workspaces/x", "/workspaces/x"),
        ("/home/workspace/x", "/home/workspace/x"),
        ("s3://bucket/workspace/x", "s3://bucket/workspace/x"),
    ],
)
def test_only_paths_below_a_mount_are_translated_and_each_once(written: str, expected: str) -> None:
    assert MOUNTS.translate(written) == expected


def test_untouched_keys_keep_their_paths() -> None:
    config = {"output_dir": "/workspace/out", "model": "/workspace/model", "list": ["/workspace/a", 1]}
    assert MOUNTS.translate_all(config, frozenset({"model"})) == {
        "output_dir": "/state/work/out",
        "model": "/workspace/model",
        "list": ["/state/work/a", 1],
    }
