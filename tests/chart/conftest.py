import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.kube.binaries import provide
from tools.kube.cache import cache_dir
from tools.kube.packages import unpack

CHART = Path(__file__).parents[2] / "charts" / "finscribe"
KUBE_VERSION = "1.36.3"
"""Kubernetes version that the chart is rendered for; helm has no cluster here to take it from."""

Render = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def helm() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the real helm and returns the finished process."""
    program = provide(["helm"])["helm"]

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(program), *args], capture_output=True, text=True, check=False, timeout=60)

    return run


@pytest.fixture(scope="session")
def render_text(helm) -> Callable[..., str]:
    """The chart rendered with `key=value` settings, as text."""

    def render(*settings: str) -> str:
        flags = [flag for setting in settings for flag in ("--set-json", setting)]
        done = helm(
            *("template", "finscribe", str(CHART), "--namespace", "finscribe-system"),
            *("--kube-version", KUBE_VERSION),
            *flags,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return render


@pytest.fixture(scope="session")
def render(render_text) -> Render:
    """The chart rendered with `key=value` settings, as objects."""
    return lambda *settings: [found for found in yaml.safe_load_all(render_text(*settings)) if found]


@pytest.fixture(scope="session")
def promtool() -> str:
    """Debian's, beside its Prometheus."""
    on_path = shutil.which("promtool")
    return on_path or str(unpack("prometheus", "usr/bin/promtool", cache_dir() / "prometheus"))
