"""Converts FineTuneJob's pydantic models to a CustomResourceDefinition; `tools/generate.py` writes it.

A CRD takes a *structural* schema only: no `$ref`, no unions, no `additionalProperties: false`, and exclusive
limits as in JSON Schema draft 4. A field that can't be converted raises a TypeError that names it.

Defaults of the spec are named in the descriptions (`kubectl explain`) and are not part of the CRD: the API
server would store them in every object, which makes each of its reads and writes expensive, and an upgrade
could not tell them from what was written. The operator applies them. The default of `status` gives
`kubectl get` its columns before the operator has reconciled a new job, and kstatus an `observedGeneration`
older than the object's. Defaults that are empty lists or maps are omitted.
"""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, get_args

from pydantic import BaseModel

from finscribe_core.api.base import KubeModel
from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_core.constants import GROUP, KIND, PLURAL, VERSION

Schema = dict[str, Any]

SHORT_NAME = "ftj"
PRINTER_COLUMNS: list[Schema] = [
    {"name": "State", "type": "string", "jsonPath": ".status.summary.state"},
    {"name": "Progress", "type": "string", "jsonPath": ".status.summary.progress"},
    {"name": "ETA", "type": "string", "jsonPath": ".status.summary.eta"},
    {"name": "Loss", "type": "string", "jsonPath": ".status.summary.loss"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    {
        "name": "Samples/s",
        "type": "string",
        "jsonPath": ".status.progress.samplesPerSecond",
        "priority": 1,
    },
    {"name": "Run", "type": "string", "jsonPath": ".status.run.name", "priority": 1},
]

# Keywords that mean the same in pydantic's JSON schema and in a structural schema.
_SAME_KEYWORDS = {
    *("description", "type", "enum", "pattern", "format", "required"),
    *("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"),
    *("minProperties", "maxProperties", "not"),
    "anyOf",  # with x-kubernetes-int-or-string, which requires it; elsewhere it is resolved first
}
_DROPPED_KEYWORDS = {"title", "$defs", "propertyNames"}  # structural schemas have no propertyNames


def build_crd(model: type[KubeModel] = FineTuneJob) -> Schema:
    """The CustomResourceDefinition of a kind.

    Raises:
        TypeError: a field's type has no structural schema.
    """
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": [SHORT_NAME],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": PRINTER_COLUMNS,
                    "schema": {"openAPIV3Schema": build_root_schema(model)},
                }
            ],
        },
    }


def build_root_schema(model: type[KubeModel]) -> Schema:
    """The structural schema of a whole object; the API server itself defines its metadata."""
    schema = build_schema(model)
    schema["properties"] = {
        **schema["properties"],
        "spec": _with_described_defaults(schema["properties"]["spec"]),
        "apiVersion": {"type": "string", "description": "Version of the API this object is written in."},
        "kind": {"type": "string", "description": "Kind of this object."},
        "metadata": {"type": "object"},
    }
    schema["required"] = ["spec"]
    return schema


def build_schema(model: type[BaseModel], *, by_alias: bool = True) -> Schema:
    """The structural schema of any model, with camelCase names, or with those of Python and YAML files.

    Raises:
        TypeError: a field's type has no structural schema.
    """
    # In serialization mode a field has its alias; in validation mode its first accepted spelling.
    document = model.model_json_schema(by_alias=by_alias, mode="serialization")
    return _Converter(model, document.get("$defs", {})).convert(document, model.__name__)


class _Converter:
    def __init__(self, model: type[BaseModel], definitions: dict[str, Schema]) -> None:
        self.definitions = definitions
        self.classes = {found.__name__: found for found in _classes_in(model)}
        self.root = model.__name__

    def convert(self, node: Schema, path: str) -> Schema:
        """The structural schema of one node of the JSON schema; `path` is for error messages."""
        node, name = self._resolved(node, path)
        default = node.pop("default", None)
        result: Schema = {
            key: node[key] for key in ("description", "type") if key in node
        }  # these come first
        for keyword, value in node.items():
            result |= self._keyword(keyword, value, path)
        if "description" in result:
            result["description"] = _unwrapped(result["description"])
        found = self.classes.get(name)
        if found and issubclass(found, StrEnum):
            meanings = [f"{value}: {text}" for value, text in enum_descriptions(found).items()]
            if meanings:
                result["description"] = " ".join(filter(None, [result.get("description"), *meanings]))
        elif found and issubclass(found, KubeModel) and found.rules:
            result["x-kubernetes-validations"] = [
                {"rule": rule.cel, "message": rule.message} for rule in found.rules
            ]
        return result | _default(default, result, path)

    def _resolved(self, node: Schema, path: str) -> tuple[Schema, str]:
        """The node with references resolved and null removed, and its class's name."""
        siblings = dict(node)
        if "anyOf" in siblings and "x-kubernetes-int-or-string" not in siblings:
            choices = [choice for choice in siblings.pop("anyOf") if choice != {"type": "null"}]
            if len(choices) != 1:
                raise TypeError(f"{path}: a union of several types has no structural schema")
            siblings = {**choices[0], **siblings}
        if "$ref" not in siblings:
            return siblings, self.root if path == self.root else ""
        name = siblings.pop("$ref").rsplit("/", 1)[-1]
        return {**self.definitions[name], **siblings}, name

    def _keyword(self, keyword: str, value: Any, path: str) -> Schema:
        match keyword:
            case "properties":
                converted = {name: self.convert(field, f"{path}.{name}") for name, field in value.items()}
                return {keyword: converted}
            case "items" | "additionalProperties" if isinstance(value, dict):
                return {keyword: self.convert(value, f"{path}[]")}
            case "const":
                return {"enum": [value]}
            case "exclusiveMinimum" | "exclusiveMaximum":
                return {keyword.removeprefix("exclusive").lower(): value, keyword: True}
            case _ if keyword in _SAME_KEYWORDS or keyword.startswith("x-kubernetes-"):
                return {keyword: value}
            case _ if keyword in _DROPPED_KEYWORDS:
                return {}
        raise TypeError(f"{path}: {keyword}: {value!r} has no structural form")


def _default(value: Any, schema: Schema, path: str) -> Schema:
    """The `default` keyword. An object's is `{}`: the API server then applies its fields' defaults."""
    value = _without_empty(value)
    if value is None:
        return {}
    if "properties" in schema:
        if value != _field_defaults(schema):
            raise TypeError(f"{path}: its default differs from the defaults of its fields")
        return {"default": {}}
    return {"default": value}


def _with_described_defaults(schema: Schema) -> Schema:
    """The schema with its defaults in the descriptions instead of the keyword."""
    result = {key: value for key, value in schema.items() if key != "default"}
    if "properties" in schema:
        fields = schema["properties"].items()
        result["properties"] = {name: _with_described_defaults(field) for name, field in fields}
    if "items" in schema:
        result["items"] = _with_described_defaults(schema["items"])
    if schema.get("default", {}) != {}:
        default = schema["default"]
        shown = default if isinstance(default, str) else json.dumps(default)
        result["description"] = f"{schema.get('description', '')} Default: {shown}.".strip()
    return result


def _field_defaults(schema: Schema) -> Schema:
    """The object that the API server makes of `{}` by this schema."""
    fields = schema["properties"].items()
    return {
        name: _field_defaults(field) if field["default"] == {} else field["default"]
        for name, field in fields
        if "default" in field
    }


def _without_empty(value: Any) -> Any:
    """The value without nulls and empty lists and maps; None when nothing is left."""
    if isinstance(value, dict):
        kept = {key: kept for key, item in value.items() if (kept := _without_empty(item)) is not None}
        return kept or None
    return None if value == [] else value


def enum_descriptions(enum: type[StrEnum]) -> dict[str, str]:
    """The docstrings below an enum's members, by value, parsed from its source code."""
    body = ast.parse(textwrap.dedent(inspect.getsource(enum))).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        match statement, following:
            case (
                ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ):
                found[enum[name].value] = _unwrapped(text)
    return found


def _unwrapped(text: str) -> str:
    """A docstring's paragraphs, each as one line."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in inspect.cleandoc(text).split("\n\n"))


def _classes_in(annotation: Any) -> Iterator[type]:
    """Every model and enum in an annotation, recursively."""
    for argument in get_args(annotation):
        yield from _classes_in(argument)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from _classes_in(field.annotation)
    elif isinstance(annotation, type) and issubclass(annotation, StrEnum):
        yield annotation
