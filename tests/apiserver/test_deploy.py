"""An API server accepts the ways to install without helm: plain manifest, kustomize, Argo CD, Flux."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from finscribe_core.parsing import parse_strictly
from finscribe_core.yaml_files import read_documents
from finscribe_operator.config import OperatorConfig
from tests.apiserver.eventually import eventually
from tests.apiserver.installation import ROOT, SYSTEM_NAMESPACE, render_chart
from tests.support.gitops_crds import gitops_crds
from tools.kube.apiserver import ApiServer
from tools.release import plain_manifest

GITOPS = ROOT / "examples" / "gitops"
NAMESPACES = (SYSTEM_NAMESPACE, "argocd", "flux-system")


def objects_of(text: str) -> list[dict[str, Any]]:
    return [made for made in yaml.safe_load_all(text) if made]


def by_name(objects: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(made["kind"], made["metadata"]["name"]): made for made in objects}


@pytest.fixture(scope="module")
def installer(server: ApiServer) -> ApiServer:
    """The server with the CRDs of Argo CD and Flux, and the namespaces of the manifests."""
    for name in NAMESPACES:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        server.kubectl("apply", "--filename=-", stdin=json.dumps(namespace))
    for path in gitops_crds():
        server.install_crd(path)
    return server


def apply_dry(server: ApiServer, text: str) -> int:
    """Number of objects that the server accepts as they are, without storing them."""
    command = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts")
    return len(server.kubectl(*command, "--filename=-", stdin=text).splitlines())


def test_the_plain_manifest_is_the_kustomize_base(installer: ApiServer):
    built, plain = (
        objects_of(text) for text in (installer.kubectl("kustomize", str(ROOT / "deploy")), plain_manifest())
    )

    assert by_name(built) == by_name(plain)
    assert apply_dry(installer, plain_manifest()) == len(plain)


def test_the_overlay_changes_images_replicas_and_configuration(installer: ApiServer):
    text = installer.kubectl("kustomize", str(ROOT / "examples" / "kustomize"))
    objects = objects_of(text)
    (deployment,) = (made["spec"] for made in objects if made["kind"] == "Deployment")
    pod = deployment["template"]["spec"]
    mounted = [volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume]
    (data,) = (made["data"] for made in objects if made["metadata"]["name"] in mounted and "data" in made)

    assert apply_dry(installer, text) == len(objects)
    assert deployment["replicas"] == 2
    assert pod["containers"][0]["image"] == "registry.example.com/finscribe/operator:0.1.0"
    config = ROOT / "examples" / "kustomize" / "config.yaml"
    assert data == {"config.yaml": config.read_text()}
    (document,) = read_documents(config)
    parse_strictly(OperatorConfig, document)


@pytest.mark.parametrize("path", sorted(GITOPS.iterdir()), ids=lambda path: path.name)
def test_a_gitops_example_is_accepted_and_names_what_exists(installer: ApiServer, path: Path, tmp_path: Path):
    text = path.read_text()

    assert eventually(lambda: apply_dry(installer, text)) == len(objects_of(text))
    for made in objects_of(text):
        spec = made["spec"]
        if made["kind"] == "Application":
            chart, values = spec["source"]["path"], spec["source"]["helm"]["valuesObject"]
        elif made["kind"] == "HelmRelease":
            chart, values = spec["chart"]["spec"]["chart"], spec["values"]
        else:
            assert (ROOT / spec.get("path", ".") / "kustomization.yaml").exists() or "url" in spec
            continue
        assert (ROOT / chart / "Chart.yaml").exists()
        (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
        (deployment,) = (
            made
            for made in render_chart(options=(f"--values={tmp_path / 'values.yaml'}",))
            if made["kind"] == "Deployment"
        )
        image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        assert image.startswith("registry.example.com/finscribe/operator:")
