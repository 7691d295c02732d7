"""kubeconform accepts every object of the chart, of the other ways to install and of the examples."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chart.json_schemas import LOCATION, write_schemas
from tests.support.gitops_crds import gitops_crds
from tests.support.prometheus_crds import prometheus_crds
from tools.kube.binaries import provide
from tools.release import plain_manifest

ROOT = Path(__file__).parents[2]
ALL_OPTIONS = (
    *("operator.replicas=2", "admissionPolicy.enabled=true", 'operator.config.limits={"gpus": 4}'),
    *("networkPolicy.enabled=true", 'networkPolicy.namespaces=["team"]', "ui.enabled=true"),
    *("metrics.podMonitor.enabled=true", "metrics.rules.enabled=true", "metrics.dashboard.enabled=true"),
)
Conform = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def kubeconform(tmp_path_factory: pytest.TempPathFactory) -> Conform:
    """Runs kubeconform on manifests; returns what it finds wrong."""
    program, folder = provide(["kubeconform"])["kubeconform"], tmp_path_factory.mktemp("schemas")
    own = (ROOT / "crds").glob("finscribe.io_*.yaml")
    write_schemas(folder, [*own, *gitops_crds(), *prometheus_crds()])
    command = [str(program), "-output=json", "-verbose", f"-schema-location={folder}/{LOCATION}"]

    def run(manifests: str) -> list[str]:
        done = subprocess.run(
            command, input=manifests, capture_output=True, text=True, check=False, timeout=60
        )
        resources = json.loads(done.stdout)["resources"]
        assert resources, done.stderr
        return [
            f"{one['kind']} {one['name']}: {one['msg']}"
            for one in resources
            if one["status"] != "statusValid"
        ]

    return run


def manifests_of(*patterns: str) -> str:
    paths = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    assert paths
    return "\n---\n".join(path.read_text() for path in paths)


def test_the_chart_conforms(kubeconform: Conform, render_text: Callable[..., str]):
    assert kubeconform(render_text()) == []
    rendered = render_text(*ALL_OPTIONS)
    assert "kind: PodMonitor" in rendered and "kind: PrometheusRule" in rendered
    assert kubeconform(rendered) == []


def test_the_other_ways_to_install_and_the_examples_conform(kubeconform: Conform):
    assert kubeconform(plain_manifest()) == []
    assert kubeconform(manifests_of("examples/*finetunejob*.yaml", "examples/gitops/*.yaml")) == []


def test_a_field_that_does_not_exist_is_found(kubeconform: Conform, render_text: Callable[..., str]):
    (found,) = kubeconform(render_text().replace("readOnlyRootFilesystem:", "readOnlyFilesystem:"))
    assert found.startswith("Deployment finscribe") and "readOnlyFilesystem" in found
