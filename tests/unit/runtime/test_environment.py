"""What a process checks before it trains."""

from pathlib import Path

import pytest

from finscribe_core.constants import ENV_IMAGE_MOUNTS
from finscribe_core.errors import UserError
from finscribe_trainer.runtime.environment import check_image_mounts


def test_an_image_that_the_cluster_has_not_mounted_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(ENV_IMAGE_MOUNTS, str(tmp_path))
    check_image_mounts()

    monkeypatch.setenv(ENV_IMAGE_MOUNTS, f"{tmp_path}:/data/model")
    with pytest.raises(UserError, match=r"not mounted at /data/model: the cluster has no image volumes"):
        check_image_mounts()
