"""Models of a mirror of the Hugging Face Hub, which the hub's real client downloads, in real processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.hub_mirror import COMMIT, HUB_ID, HubMirror, hub_mirror

# The client reads HF_ENDPOINT when it is imported.
FETCH = """
import json, sys
from pathlib import Path
from finscribe_core.errors import FinscribeError
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.pipeline.inputs import fetch_model, open_storage
from finscribe_trainer.runtime.environment import set_library_variables
import threading

set_library_variables()
config = TrainerConfig.model_validate(json.loads(sys.argv[1]))
storage = open_storage(config, threading.Event())
try:
    source = fetch_model(config, Path(sys.argv[2]), storage)
    files = sorted(path.name for path in Path(source.location).iterdir() if path.is_file())
    print(json.dumps({"files": files, "revision": source.revision, "name": source.lasting_name,
                      "location": source.location}))
except FinscribeError as error:
    print(json.dumps({"reason": error.reason, "message": str(error), "code": error.exit_code}))
"""


@pytest.fixture
def mirror(sample: Path, tmp_path: Path):
    folder = tmp_path / "repository"
    folder.mkdir()
    for path in (sample / "model").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "modeling_code.py").write_text("raise SystemExit('code of a repository must not be loaded')")
    (folder / "pytorch_model.bin").write_bytes(b"pickled")
    with hub_mirror(folder) as running:
        yield running


class Machine:
    """Fetches the model in processes that share the hub's cache, if they are given the same home."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self._endpoint, self._folder, self._number = endpoint, folder, 0

    def fetch(self, home: str = "home", env: dict[str, str] | None = None, **config: str) -> dict:
        self._number += 1
        settings = {"dataset_path": "train.jsonl", "model_name_or_path": HUB_ID, **config}
        done = subprocess.run(
            [sys.executable, "-c", FETCH, json.dumps(settings), str(self._folder / f"run-{self._number}")],
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("HF_")},
                "HF_HOME": str(self._folder / home),
                "HF_ENDPOINT": self._endpoint,
                **(env or {}),
            },
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return json.loads(done.stdout.splitlines()[-1]) | {"log": done.stderr}


@pytest.fixture
def machine(mirror: HubMirror, tmp_path: Path) -> Machine:
    return Machine(mirror.endpoint, tmp_path)


def test_a_branch_becomes_its_commit_and_only_what_is_loaded_is_downloaded(machine, mirror):
    found = machine.fetch(model_revision="main")
    assert (found["name"], found["revision"]) == (HUB_ID, COMMIT)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(found["files"])
    assert not {"modeling_code.py", "pytorch_model.bin"} & set(found["files"])
    assert any(request.endswith("/resolve/" + COMMIT + "/model.safetensors") for request in mirror.requests)


def test_a_second_run_on_the_machine_downloads_nothing_and_needs_no_mirror(machine, mirror):
    first = machine.fetch()
    sent = mirror.bytes_sent
    second = machine.fetch(env={"HF_HUB_OFFLINE": "1"})
    mirror.server.shutdown()
    mirror.server.server_close()
    third = machine.fetch()
    assert mirror.bytes_sent == sent
    assert first["files"] == second["files"] == third["files"]


def test_a_second_run_with_a_shared_cache_downloads_nothing(machine, mirror, tmp_path):
    cache = str(tmp_path / "downloads")
    first = machine.fetch(home="a", cache_dir=cache)
    mirror.requests.clear()

    second = machine.fetch(home="b", cache_dir=cache, model_revision=COMMIT)

    assert set(second["files"]) == set(first["files"])
    assert second["revision"] == COMMIT
    asked = [request for request in mirror.requests if not request.startswith("HEAD ")]
    assert asked == [f"GET /api/models/{HUB_ID}/tree/{COMMIT}"]


def test_a_download_that_breaks_off_is_resumed(machine, mirror):
    large = mirror.folder / "model-00002-of-00002.safetensors"
    large.write_bytes(bytes(25_000_000))
    mirror.cut_after = 22_000_000
    found = machine.fetch()
    assert mirror.cut_after is None
    assert (Path(found["location"]) / large.name).stat().st_size == 25_000_000
    total = sum(path.stat().st_size for name, path in mirror.files().items() if name in found["files"])
    assert mirror.bytes_sent < total + 2_000_000  # the client keeps pieces of 10 MiB


@pytest.mark.parametrize("cache", [{}, {"cache_dir": "downloads"}], ids=["without cache", "with cache"])
def test_a_gated_model_needs_a_token_which_is_not_logged(machine, mirror, tmp_path, cache):
    config = {name: str(tmp_path / folder) for name, folder in cache.items()}
    mirror.token = "hf_verysecret"

    without = machine.fetch(**config)
    wrong = machine.fetch(env={"HF_TOKEN": "hf_anotherone"}, **config)
    right = machine.fetch(env={"HF_TOKEN": "hf_verysecret"}, **config)

    for denied in (without, wrong):
        assert (denied["reason"], denied["code"]) == ("ModelAccessDenied", 78)
        assert "model.tokenSecretRef" in denied["message"] and "HF_TOKEN" in denied["message"]
    assert right["revision"] == COMMIT
    assert "hf_" not in without["log"] + wrong["log"] + right["log"] + wrong["message"]


@pytest.mark.parametrize(
    ("config", "env", "reason"),
    [
        ({"model_name_or_path": "team/other"}, {}, "ModelNotFound"),
        ({"model_revision": "v9"}, {}, "ModelNotFound"),
        ({}, {"HF_HUB_OFFLINE": "1"}, "ModelNotFound"),
        ({}, {"HF_ENDPOINT": "http://127.0.0.1:9"}, "StorageUnavailable"),
    ],
    ids=["no such model", "no such revision", "offline", "no mirror"],
)
@pytest.mark.parametrize("cache", [{}, {"cache_dir": "downloads"}], ids=["without cache", "with cache"])
def test_what_fails_is_a_user_error_or_retried(machine, tmp_path, config, env, reason, cache):
    found = machine.fetch(env=env, **config, **{name: str(tmp_path / value) for name, value in cache.items()})
    assert found["reason"] == reason, found
