"""Writes every generated file, or checks that none differs from its source: `tools/generate.py [--check]`."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from finscribe_core.api.crd import build_crd
from finscribe_core.constants import GROUP, PLURAL
from finscribe_operator.permissions import PERMISSIONS, Permission, Scope

ROOT = Path(__file__).parents[1]
COMMAND = "make generate"
CHART = "charts/finscribe"


def crd_text() -> str:
    """The CRD alone, for `kubectl apply`."""
    return _notice("finscribe_core/api") + _yaml(build_crd())


def chart_crd_text() -> str:
    """The CRD as a template, because `helm upgrade` does not upgrade what lies in `crds/`."""
    crd = build_crd()
    metadata, rest = crd.pop("metadata"), _yaml({"spec": crd["spec"]})
    return (
        "{{- if .Values.crds.enabled }}\n"
        + _notice("finscribe_core/api")
        + _yaml({"apiVersion": crd["apiVersion"], "kind": crd["kind"]})
        + f"metadata:\n  name: {metadata['name']}\n"
        + '  labels:\n    {{- include "finscribe.labels" . | nindent 4 }}\n'
        + "  {{- if .Values.crds.keep }}\n"
        + "  annotations:\n    helm.sh/resource-policy: keep\n"
        + "  {{- end }}\n"
        + _literal(rest)
        + "{{- end }}\n"
    )


def rbac_rules_text() -> str:
    """The rules of the operator's roles, as named templates that `rbac.yaml` puts into roles."""
    parts = [
        f'{{{{- define "finscribe.rules.{scope.lower()}" -}}}}\n'
        + "".join(_rule_text(permission) for permission in PERMISSIONS if permission.scope == scope)
        + "{{- end }}\n"
        for scope in Scope
    ]
    return (
        "{{/* Generated from finscribe_operator/permissions.py by `" + COMMAND + "`. */}}\n" + "".join(parts)
    )


def _rule_text(permission: Permission) -> str:
    rule = {
        "apiGroups": [permission.group],
        "resources": [permission.resource],
        "verbs": list(permission.verbs),
    }
    return f"# {permission.why}\n" + yaml.safe_dump([rule], sort_keys=False, default_flow_style=None)


FILES: Mapping[str, Callable[[], str]] = {
    f"crds/{GROUP}_{PLURAL}.yaml": crd_text,
    f"{CHART}/templates/crd.yaml": chart_crd_text,
    f"{CHART}/templates/_rules.tpl": rbac_rules_text,
}


def _notice(source: str) -> str:
    return f"# Generated from {source} by `{COMMAND}`.\n"


def _yaml(data: Any) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)


def _literal(text: str) -> str:
    """The text as it must stand in a Helm template to be rendered as it is."""
    return text.replace("{{", '{{ "{{" }}')


def main(check: bool) -> int:
    """Write the files, or name those that differ; the number of differing files when checking."""
    stale = []
    for name, text in ((name, build()) for name, build in FILES.items()):
        path = ROOT / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    if check and stale:
        print("Not what its source says: " + ", ".join(stale) + f"\nRun: {COMMAND}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
