"""FineTuneJobs that an API server accepts, some under an older CRD, and that an operator must survive."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finscribe_core.constants import (
    API_VERSION,
    GROUP,
    KIND,
    LABEL_EXPERIMENT_OF,
    LABEL_JOB,
    LABEL_RUN,
    PLURAL,
    VERSION,
)
from tests.apiserver.workspace import Workspace

DEPTH = 9900
"""Nested lists or maps; an API server refuses more than 10,000, those around the value included."""
_SPEC: dict[str, Any] = {
    "model": {"source": "hf://a/b"},
    "dataset": {"train": "s3://bucket/a.jsonl"},
    "output": {"uri": "s3://bucket/out"},
}
_PLACEHOLDER = "PLACEHOLDER"


@dataclass(frozen=True)
class Hostile:
    body: str
    """The object as JSON text: Python's encoder can't nest as deeply."""
    invalid: bool
    """Whether it becomes Invalid; otherwise its run starts as usual."""


def build_hostile_objects() -> dict[str, Hostile]:
    """The objects by name."""
    specs, metadata = _invalid_specs(), _odd_metadata()
    bodies = {name: Hostile(_body(name, spec), invalid=True) for name, spec in specs.items()}
    return bodies | {name: Hostile(_body(name, _SPEC, m), invalid=False) for name, m in metadata.items()}


def _invalid_specs() -> dict[str, Any]:
    many = range(3000)
    return {
        "override-of-2000-lists": _override(_lists(2000)),
        "override-of-lists": _override(_lists(DEPTH)),
        "override-of-2000-maps": _override(_maps(2000)),
        "override-of-5000-maps": _override(_maps(5000)),
        "override-of-lists-and-maps": _override(_Raw('[{"a":' * 4900 + "1" + "}]" * 4900)),
        "override-of-40-lists": _override(_lists(40)),
        "override-of-two-lists": _override(_lists(2)),
        "override-of-100000-values": _override([1] * 100_000),
        "override-of-a-long-text": _override("x" * 100_000),
        "override-of-a-long-path": _override(1, "lora." + "a." * 2000 + "r"),
        "override-of-the-output": _override("s3://bucket/other", "output.uri"),
        "override-of-an-unknown-field": _override(1, "\u001b[2J"),
        "unknown-field-of-maps": _spec(unknown=_maps(3000)),
        "unknown-field-of-a-megabyte": _spec(unknown="x" * 1_000_000),
        "section-of-lists": _spec(lora=_lists(5000)),
        "tolerations-of-lists": _spec(pod={"tolerations": _lists(5000)}),
        "labels-of-maps": _spec(pod={"labels": _maps(2000)}),
        "experiments-of-lists": _spec(experiments=_lists(5000)),
        "many-experiments": _spec(experiments=[{"name": f"e{i}", "overrides": {"lora.r": 8}} for i in many]),
        "equal-experiments": _spec(experiments=[{"name": "a", "overrides": {"lora.r": 8}}] * 2),
        "many-labels": _spec(pod={"labels": {f"l{i}": "x" for i in many}}),
        "many-annotations": _spec(pod={"annotations": {f"a{i}": "x" for i in many}}),
        "large-annotation": _spec(pod={"annotations": {"note": "x" * 250_000}}),
        "many-tolerations": _spec(pod={"tolerations": [{"key": "gpu"}] * 10_000}),
        "many-target-modules": _spec(lora={"targetModules": ["q_proj"] * 10_000}),
        "many-field-weights": _spec(loss={"fieldWeights": {f"f{i}": 2 for i in many}}),
        "long-model": _spec(model={"source": "hf://a/" + "b" * 100_000}),
        "long-data-set": _spec(dataset={"train": "s3://bucket/" + "b" * 100_000}),
        "long-image": _spec(image="x" * 100_000),
        "no-spec": _Raw("null"),
        "spec-is-a-list": [],
        "spec-is-a-filled-list": [_SPEC],
        "spec-is-a-text": "spec",
        "spec-is-a-number": 7,
        "every-section-is-a-text": dict.fromkeys((*_SPEC, "lora", "training", "pod", "experiments"), "x"),
        "every-section-is-a-list": {key: [1] for key in (*_SPEC, "lora", "training", "pod")},
        "largest-integer": _spec(resources={"gpus": 2**63 - 1}),
        "integer-beyond-64-bits": _spec(resources={"gpus": 10**30}),
        "largest-number": _spec(training={"learningRate": 1.7e308}),
        "number-as-text": _spec(training={"learningRate": "nan"}),
        "negative-retries": _spec(backoffLimit=-1),
        "password-in-the-endpoint": _spec(storage={"endpoint": "http://key:hunter2@minio:9000"}),
        "terminal-escape-as-method": _spec(method="\u001b[31mLoRA\u001b[0m\u009b\u0000"),
        "half-a-character": _spec(method=_Raw('"\\ud800"')),
        "change-of-direction": _spec(method="\u202eAroL"),
    }


def _odd_metadata() -> dict[str, Any]:
    kopf = "kopf.zalando.org"
    return {
        "managed-fields-of-3000-maps": _managed(_maps(3000, "f:a", "{}")),
        "managed-fields-of-maps": _managed(_maps(DEPTH, "f:a", "{}")),
        "large-managed-fields": _managed({f"f:{i}": {} for i in range(10_000)}),
        "large-metadata": {"annotations": {"note": "x" * 250_000}},
        "kopf-state-that-is-no-json": {"annotations": {f"{kopf}/last-handled-configuration": "{"}},
        "kopf-state-of-lists": {"annotations": {f"{kopf}/last-handled-configuration": "[" * 60_000}},
        "kopf-progress-that-is-no-json": {"annotations": {f"{kopf}/on_event": "{", f"{kopf}/start": "[1]"}},
        "kopf-finalizer": {"finalizers": [f"{kopf}/KopfFinalizerMarker"]},
        "its-own-experiment": {"labels": {LABEL_EXPERIMENT_OF: "its-own-experiment", LABEL_JOB: "x"}},
        "labelled-as-a-run": {"labels": {LABEL_JOB: "labelled-as-a-run", LABEL_RUN: "labelled-as-a-run"}},
    }


def create(workspace: Workspace, hostile: Hostile, folder: Path) -> bool:
    """Post the object as it is; whether the API server accepted it."""
    path = f"/apis/{GROUP}/{VERSION}/namespaces/{workspace.namespace}/{PLURAL}"
    file = folder / "hostile.json"
    file.write_text(hostile.body)
    return workspace.try_kubectl("create", f"--raw={path}", f"--filename={file}").returncode == 0


def states(workspace: Workspace) -> dict[str, str]:
    """The state of each job by name, as kubectl reads it: Python's decoder can't nest as deeply."""
    columns = "--output=custom-columns=NAME:.metadata.name,STATE:.status.summary.state"
    return dict(
        line.split() for line in workspace.kubectl("get", PLURAL, columns, "--no-headers").splitlines()
    )


class _Raw(str):
    """A value as JSON text."""


def _lists(depth: int) -> _Raw:
    return _Raw("[" * depth + "1" + "]" * depth)


def _maps(depth: int, key: str = "a", leaf: str = "1") -> _Raw:
    return _Raw(f'{{"{key}":' * depth + leaf + "}" * depth)


def _spec(**sections: Any) -> dict[str, Any]:
    return {**_SPEC, **sections}


def _override(value: Any, path: str = "training.learningRate") -> dict[str, Any]:
    return _spec(experiments=[{"name": "x", "overrides": {path: value}}])


def _managed(fields: Any) -> dict[str, Any]:
    entry = {"manager": "m", "operation": "Update", "apiVersion": API_VERSION, "fieldsType": "FieldsV1"}
    return {"managedFields": [{**entry, "time": "2026-01-01T00:00:00Z", "fieldsV1": fields}]}


def _body(name: str, spec: Any, metadata: dict[str, Any] | None = None) -> str:
    raw: list[str] = []

    def replace(value: Any) -> Any:
        if isinstance(value, _Raw):
            raw.append(value)
            return f"{_PLACEHOLDER}{len(raw) - 1}"
        if isinstance(value, dict):
            return {key: replace(item) for key, item in value.items()}
        return [replace(item) for item in value] if isinstance(value, list) else value

    job = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, **(metadata or {})},
        "spec": spec,
    }
    text = json.dumps(replace(job))
    for index, value in enumerate(raw):
        text = text.replace(f'"{_PLACEHOLDER}{index}"', value)
    return text
