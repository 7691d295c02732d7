"""Writes the JSON schemas that kubeconform reads: of Kubernetes' own kinds, and of those of CRDs."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from tools.kube.catalogue import KUBERNETES_MODULE, KUBERNETES_VERSION
from tools.kube.golang import find_go, find_module

LOCATION = "{{ .ResourceKind }}{{ .KindSuffix }}.json"
"""Where kubeconform finds the schema of an object in the folder, such as `deployment-apps-v1.json`."""
_DEFINITIONS = "definitions.json"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_NUMBERS_AS_TEXT = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": ["integer", "string"],
    "io.k8s.apimachinery.pkg.api.resource.Quantity": ["number", "string"],
}
"""Definitions of Kubernetes that also accept what their OpenAPI type does not say."""


def write_schemas(folder: Path, crds: Iterable[Path]) -> None:
    """Schemas that refuse unknown fields, as `kubectl apply --validate=strict` does.

    Args:
        folder: An existing one.
        crds: Files with CustomResourceDefinitions.
    """
    module = find_module(find_go(), KUBERNETES_MODULE, KUBERNETES_VERSION)
    definitions = json.loads((module / "api/openapi-spec/swagger.json").read_text())["definitions"]
    for name, definition in definitions.items():
        _close(definition)
        if name in _NUMBERS_AS_TEXT:
            definition["type"] = _NUMBERS_AS_TEXT[name]
        for kind in definition.get("x-kubernetes-group-version-kind", ()):
            _write(folder, kind["group"], kind["kind"], kind["version"], {"$ref": _reference(name)})
    (folder / _DEFINITIONS).write_text(json.dumps({"definitions": definitions}))
    for path in crds:
        for crd in yaml.safe_load_all(path.read_text()):
            _write_crd(folder, crd)


def _write_crd(folder: Path, crd: dict[str, Any]) -> None:
    spec = crd["spec"]
    for version in spec["versions"]:
        schema = version["schema"]["openAPIV3Schema"]
        schema["properties"] |= {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"$ref": _reference(_META)},
        }
        _close(schema)
        _write(folder, spec["group"], spec["names"]["kind"], version["name"], schema)


def _close(schema: Any) -> None:
    """Refuse unknown fields of objects with properties, unless the schema says something about others."""
    if isinstance(schema, dict):
        is_open = "additionalProperties" in schema or schema.get("x-kubernetes-preserve-unknown-fields")
        if isinstance(schema.get("properties"), dict) and not is_open:
            schema["additionalProperties"] = False
        for nested in schema.values():
            _close(nested)
    if isinstance(schema, list):
        for nested in schema:
            _close(nested)


def _reference(name: str) -> str:
    return f"{_DEFINITIONS}#/definitions/{name}"


def _write(folder: Path, group: str, kind: str, version: str, schema: dict[str, Any]) -> None:
    words = (kind.lower(), group.partition(".")[0], version)
    path = folder / f"{'-'.join(filter(None, words))}.json"
    path.write_text(json.dumps(schema))
