"""Writes all generated files, or checks that they are up to date: `tools/generate.py [--check]`."""

import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from finscribe_core.api.crd import SHORT_NAME, build_crd, build_schema, enum_descriptions
from finscribe_core.api.pod import PodSpec
from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_core.constants import API_VERSION, GROUP, PLURAL
from finscribe_core.trainer_config import TrainerConfig
from finscribe_operator.config import OperatorConfig
from finscribe_operator.field_changes import FIELD_CHANGES, Change
from finscribe_operator.permissions import OWN_PERMISSIONS, PERMISSIONS, Permission
from finscribe_trainer.documents.schema import schema_json
from tools.admission import limits_text
from tools.chart_reference import chart_readme_text
from tools.command_reference import command_reference_text
from tools.dashboards.build import BOARDS, dashboard_text
from tools.reference import aliases_text, file_reference_text, key_of_fields, kind_reference_text

ROOT = Path(__file__).parents[1]
COMMAND = "make generate"
CHART = "charts/finscribe"


def crd_text() -> str:
    """The CRD as a manifest, for `kubectl apply`."""
    return _notice("finscribe_core/api") + _yaml(build_crd())


def chart_crd_text() -> str:
    """The CRD as a template, because `helm upgrade` does not upgrade a chart's `crds/`."""
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
    """The RBAC rules of the operator, as named templates that `rbac.yaml` includes."""
    notice = f"{{{{/* Generated from finscribe_operator/permissions.py by `{COMMAND}`. */}}}}\n"
    rules = {"finscribe.rules": PERMISSIONS, "finscribe.ownRules": OWN_PERMISSIONS}
    return notice + "".join(_rules_text(name, permissions) for name, permissions in rules.items())


def _rules_text(name: str, permissions: tuple[Permission, ...]) -> str:
    text = "".join(_rule_text(permission) for permission in permissions)
    return f'{{{{- define "{name}" -}}}}\n{text}{{{{- end }}}}\n'


def _rule_text(permission: Permission) -> str:
    rule = {
        "apiGroups": [permission.group],
        "resources": [permission.resource],
        "verbs": list(permission.verbs),
    }
    text = f"# {permission.why}\n" + yaml.safe_dump([rule], sort_keys=False, default_flow_style=None)
    if permission.only_its_own:
        text += '  resourceNames: [{{ include "finscribe.name" . }}]\n'
    if not permission.only_with:
        return text
    return f"{{{{- if .Values.operator.config.{permission.only_with} }}}}\n{text}{{{{- end }}}}\n"


def values_schema_text() -> str:
    """The schema of the chart's values: hand-written except for the operator's configuration."""
    path = ROOT / CHART / "values.schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    config = _strict(OperatorConfig.model_json_schema(mode="serialization"))
    schema["$defs"] = config.pop("$defs")
    schema["properties"]["operator"]["properties"]["config"] = config
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _strict(schema: Any) -> Any:
    """A JSON schema without unknown keys, and without titles and defaults, which validate nothing."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "properties" not in schema:
        return {key: _strict(value) for key, value in schema.items() if key not in ("title", "default")}
    properties = {name: _strict(field) for name, field in schema["properties"].items()}
    others = {key: value for key, value in schema.items() if key not in ("title", "default", "properties")}
    return {**_strict(others), "properties": properties, "additionalProperties": False}


def job_reference_text() -> str:
    """The reference page of FineTuneJob."""
    intro = f"`{API_VERSION}`, short name `{SHORT_NAME}`. " + _generated_page(
        "finscribe_core/api/v1alpha1.py"
    )
    return kind_reference_text("FineTuneJob", intro, FineTuneJob) + _changes_text()


def _changes_text() -> str:
    """The section about what a change of each field leads to."""
    text = "\n## What a change of the spec leads to\n\n| Change of | Leads to |\n|---|---|\n"
    for change, meaning in enum_descriptions(Change).items():
        fields = ", ".join(f"`{path}`" for path, leads_to in FIELD_CHANGES.items() if leads_to == change)
        text += f"| {fields} | {meaning} |\n"
    return text


def trainer_config_reference_text() -> str:
    """The reference page of the trainer's configuration file."""
    intro = (
        "The file that `finscribe train --config` reads. Keys may be written in snake_case, as here, or in "
        "camelCase, as in a FineTuneJob; `lora_alpha`, `lora_dropout` and `max_seq_length` are accepted "
        "too. An unknown key logs a warning with its line and the nearest known key; with `--strict` it is "
        "an error. " + _generated_page("finscribe_core/trainer_config.py")
    )
    page = file_reference_text("Trainer configuration", intro, TrainerConfig, by_alias=False)
    return page + aliases_text(TrainerConfig)


def operator_config_reference_text() -> str:
    """The reference page of the operator's configuration file."""
    intro = "The chart's value `operator.config`. " + _generated_page("finscribe_operator/config.py")
    pod = {key_of_fields(build_schema(PodSpec)): "`spec.pod` of a [FineTuneJob](finetunejob.md)"}
    return file_reference_text("Operator configuration", intro, OperatorConfig, by_alias=True, described=pod)


def _generated_page(source: str) -> str:
    return f"Generated from the docstrings of `{source}` by `{COMMAND}`."


def commands_reference_text() -> str:
    """The reference page of the command line."""
    return command_reference_text(
        f"What `--help` prints. Generated from the code of each command by `{COMMAND}`."
    )


def chart_readme() -> str:
    """The README of the chart."""
    intro = f"""# FinScribe

An operator that fine-tunes PaddleOCR-VL on your own financial documents, one FineTuneJob at a time.

```bash
helm install finscribe charts/finscribe --namespace finscribe-system --create-namespace
```

[Installation](../../docs/install.md) has more: images, high availability, limits for teams, upgrades.
Generated from the comments of [values.yaml](values.yaml) by `{COMMAND}`.
"""
    values = (ROOT / CHART / "values.yaml").read_text(encoding="utf-8")
    return chart_readme_text(values, intro)


def document_schema_text() -> str:
    """The JSON Schema of the documents."""
    return json.dumps(schema_json(), indent=2, ensure_ascii=False) + "\n"


FILES: Mapping[str, Callable[[], str]] = {
    f"crds/{GROUP}_{PLURAL}.yaml": crd_text,
    f"{CHART}/templates/crd.yaml": chart_crd_text,
    f"{CHART}/templates/_rules.tpl": rbac_rules_text,
    f"{CHART}/limits.json": limits_text,
    f"{CHART}/values.schema.json": values_schema_text,
    f"{CHART}/README.md": chart_readme,
    **{f"{CHART}/dashboards/{board.uid}.json": partial(dashboard_text, board) for board in BOARDS},
    "data/schema.json": document_schema_text,
    "docs/reference/finetunejob.md": job_reference_text,
    "docs/reference/trainer-config.md": trainer_config_reference_text,
    "docs/reference/operator-config.md": operator_config_reference_text,
    "docs/reference/commands.md": commands_reference_text,
}


class _PlainDumper(yaml.SafeDumper):
    """Repeats equal lists instead of writing YAML aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _notice(source: str) -> str:
    return f"# Generated from {source} by `{COMMAND}`.\n"


def _yaml(data: Any) -> str:
    return yaml.dump(data, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=110)


def _literal(text: str) -> str:
    """Escape a text so that a Helm template renders it unchanged."""
    return text.replace("{{", '{{ "{{" }}')


def main(check: bool) -> int:
    """Write the files, or only check them and print those that differ; returns the exit code."""
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
        print("Not up to date: " + ", ".join(stale) + f"\nRun: {COMMAND}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
