import json
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import Field, ValidationError, WithJsonSchema, create_model

from finscribe_core.api.base import Int, KubeModel, Quantity, Rule
from finscribe_core.api.crd import Schema, build_crd, build_schema, enum_descriptions
from finscribe_core.api.v1alpha1 import ExperimentSpec, FineTuneJob
from finscribe_core.trainer_config import TrainingSpec
from tests.cases.invalid_specs import load_invalid_specs


class Size(StrEnum):
    Small = "Small"
    """Fits in
    a hand."""
    Large = "Large"


class Inner(KubeModel):
    """An inner object."""

    width: int = 3
    """How wide."""


CONVERSIONS: dict[str, tuple[Any, Any, Schema]] = {
    "an optional field loses null": (int | None, None, {"type": "integer"}),
    "a constant becomes an enum": (Literal["v1"], "v1", {"type": "string", "enum": ["v1"], "default": "v1"}),
    "an exclusive limit is a flag": (
        Annotated[float, Field(gt=0, lt=1)],
        ...,
        {
            "type": "number",
            "minimum": 0,
            "exclusiveMinimum": True,
            "maximum": 1,
            "exclusiveMaximum": True,
        },
    ),
    "a list keeps its limits": (
        Annotated[list[str], Field(max_length=2)],
        [],
        {"type": "array", "items": {"type": "string"}, "maxItems": 2},
    ),
    "a map has typed values": (
        dict[str, str],
        {},
        {"type": "object", "additionalProperties": {"type": "string"}},
    ),
    "a reference is replaced by its object": (
        Inner,
        Inner(),
        {
            "type": "object",
            "description": "An inner object.",
            "properties": {"width": {"type": "integer", "description": "How wide.", "default": 3}},
            "default": {},
        },
    ),
    "an enum has the descriptions of its values": (
        Size,
        Size.Small,
        {
            "type": "string",
            "enum": ["Small", "Large"],
            "description": "Small: Fits in a hand.",
            "default": "Small",
        },
    ),
}


@pytest.mark.parametrize(("annotation", "default", "expected"), CONVERSIONS.values(), ids=CONVERSIONS.keys())
def test_a_field_is_converted_to_a_structural_schema(annotation: Any, default: Any, expected: Schema):
    model = create_model("Model", __base__=KubeModel, some_field=(annotation, default))

    assert build_schema(model)["properties"]["someField"] == expected


def test_a_quantity_may_be_a_number_or_a_text():
    schema = build_schema(create_model("Model", __base__=KubeModel, cpu=(Quantity, "4")))["properties"]["cpu"]

    assert schema["x-kubernetes-int-or-string"] is True
    assert "type" not in schema


def test_a_learning_rate_is_written_as_it_was_given_and_may_be_auto():
    for written in (2e-5, 1, "auto"):
        training = TrainingSpec.model_validate({"learningRate": written})
        assert training.as_written() == {"learningRate": written}
    with pytest.raises(ValidationError, match="learningRate auto can't test a model that fsdp shards"):
        TrainingSpec.model_validate({"learningRate": "auto", "fsdp": True})
    with pytest.raises(ValueError, match="has not been chosen"):
        _ = TrainingSpec(learning_rate="auto").known_learning_rate


def test_a_field_named_title_is_kept():
    assert "title" in build_schema(create_model("Model", __base__=KubeModel, title=(str, ...)))["properties"]


def test_rules_become_cel_beside_their_message():
    class Ruled(KubeModel):
        size: int
        rules = (Rule(cel="self.size > 1", check=lambda m: m.size > 1, message="size must be above 1"),)

    assert build_schema(Ruled)["x-kubernetes-validations"] == [
        {"rule": "self.size > 1", "message": "size must be above 1"}
    ]


def test_the_defaults_of_a_spec_are_described_and_not_stored():
    spec = build_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert '"default"' not in json.dumps(spec)
    rate = spec["properties"]["training"]["properties"]["learningRate"]
    assert rate["description"].endswith("Default: 2e-05.")


def test_every_default_in_a_rule_is_that_of_its_field():
    for path, schema in _objects("", build_schema(FineTuneJob)["properties"]["spec"]):
        for rule in schema.get("x-kubernetes-validations", []):
            for names, value in re.findall(r"self\.((?:\?\w+\.)+)orValue\(([^)]+)\)", rule["rule"]):
                field = schema
                for name in re.findall(r"\w+", names):
                    field = field["properties"][name]
                assert str(field.get("default", False)) == str(yaml.safe_load(value)), (path, rule["rule"])


def _objects(path: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from _objects(f"{path}.{name}", field)


def test_a_union_of_types_is_refused_with_the_fields_name():
    model = create_model("Model", __base__=KubeModel, either=(int | list[str], ...))

    with pytest.raises(TypeError, match=r"Model\.either: a union"):
        build_schema(model)


def test_a_default_that_differs_from_its_fields_defaults_is_refused():
    model = create_model("Model", __base__=KubeModel, inner=(Inner, Inner(width=9)))

    with pytest.raises(TypeError, match=r"Model\.inner: its default"):
        build_schema(model)


def test_every_rule_of_the_crd_has_an_invalid_job_that_breaks_it():
    covered = [case.message for case in load_invalid_specs() if case.message]
    messages = [rule["message"] for rule in _rules(build_crd())]

    assert len(messages) >= 8
    assert [text for text in messages if not any(part in text for part in covered)] == []


def test_every_field_of_the_spec_is_described():
    fields = dict(_fields("", build_schema(FineTuneJob)["properties"]["spec"]))

    assert ".training.learningRate" in fields
    assert [path for path, field in fields.items() if not field.get("description")] == []


def test_every_map_list_and_text_of_spec_and_status_has_a_maximal_length():
    properties = build_schema(FineTuneJob)["properties"]

    found = [f"{part}{path}" for part in ("spec", "status") for path in _unbounded("", properties[part])]
    # CEL does not see a map of values of any type: only the operator bounds these keys.
    assert found == ["spec.experiments[].overrides keys"]
    with pytest.raises(ValidationError, match="at most 512 characters"):
        ExperimentSpec(name="a", overrides={"x" * 513: 1})


UNBOUNDED: dict[str, tuple[Any, list[str]]] = {
    "a text": (str, [".field"]),
    "a list": (list[Int], [".field"]),
    "a text in a list": (Annotated[list[str], Field(max_length=2)], [".field[]"]),
    "a map, and its keys": (dict[str, Int], [".field", ".field keys"]),
    "any value": (Annotated[Any, WithJsonSchema({"x-kubernetes-preserve-unknown-fields": True})], [".field"]),
}


@pytest.mark.parametrize(("annotation", "expected"), UNBOUNDED.values(), ids=UNBOUNDED.keys())
def test_the_search_for_unbounded_fields_finds(annotation: Any, expected: list[str]):
    model = create_model("Model", __base__=KubeModel, field=(annotation, ...))

    assert list(_unbounded("", build_schema(model))) == expected


def test_enum_descriptions_are_the_docstrings_below_the_values():
    assert enum_descriptions(Size) == {"Small": "Fits in a hand."}


def _rules(node: Any) -> list[dict[str, str]]:
    if isinstance(node, list):
        return [rule for item in node for rule in _rules(item)]
    if not isinstance(node, dict):
        return []
    below = [rule for value in node.values() for rule in _rules(value)]
    return [*node.get("x-kubernetes-validations", []), *below]


def _unbounded(path: str, node: Schema, rules: str = "") -> Iterator[str]:
    """The paths of values without a maximal length; `rules` are those of the map's owner."""
    any_value = "type" not in node and "x-kubernetes-int-or-string" not in node
    has_texts = node.get("type") == "string" or any_value or "x-kubernetes-int-or-string" in node
    if (
        (has_texts and not node.keys() & {"maxLength", "enum"})
        or ((node.get("type") == "array" or any_value) and "maxItems" not in node)
        or (("additionalProperties" in node or any_value) and "maxProperties" not in node)
    ):
        yield path
    if "additionalProperties" in node:
        if not re.search(rf"self\.{path.rpartition('.')[2]}\.all\(k, k\.size\(\) <= ", rules):
            yield f"{path} keys"
        yield from _unbounded(f"{path}{{}}", node["additionalProperties"])
    if "items" in node:
        yield from _unbounded(f"{path}[]", node["items"])
    own_rules = " ".join(rule["rule"] for rule in node.get("x-kubernetes-validations", []))
    for name, field in node.get("properties", {}).items():
        yield from _unbounded(f"{path}.{name}", field, own_rules)


def _fields(path: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from _fields(f"{path}.{name}", field.get("items", field))
