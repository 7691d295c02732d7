"""Defines the base model of all API types, cross-field rules, and Kubernetes quantities."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.alias_generators import to_camel


@dataclass(frozen=True)
class Rule:
    """One cross-field rule, written as CEL for the API server and as Python for all other programs.

    `tests/cases/invalid_specs.yaml` tests both with the same invalid specs.
    """

    cel: str
    check: Callable[[Any], bool]
    """Returns True when the model satisfies the rule."""
    message: str
    """Names the fields and the remedy."""


PATTERN_WORDS: dict[str, str] = {}
"""What each pattern of a field asks for, in words, for error messages."""


def pattern(regular_expression: str, words: str) -> str:
    """A field's pattern, with the words that error messages show in its place."""
    PATTERN_WORDS[regular_expression] = words
    return regular_expression


class KubeModel(BaseModel):
    """Base of all API models: camelCase in JSON and YAML, snake_case in Python.

    Unknown fields are ignored (the CRD may be newer than this program); files are read through
    `finscribe_core.parsing`, which rejects them.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
        extra="ignore",
        frozen=True,
    )
    rules: ClassVar[tuple[Rule, ...]] = ()
    merges_entries: ClassVar[bool] = False
    """Whether written maps and lists are completed by the entries of the defaults, not in place of them."""

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        for rule in self.rules:
            if not rule.check(self):
                raise ValueError(rule.message)
        return self

    def to_kubernetes(self) -> dict[str, Any]:
        """As a JSON-serializable dict in camelCase, without unset fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def as_written(self) -> dict[str, Any]:
        """Like `to_kubernetes`, without the fields that were left to their defaults."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)


def cel_value(path: str, default: Any) -> str:
    """CEL for the value of a field of `self`, or its default: defaults are not stored in the object.

    >>> cel_value("evaluation.trainingDocuments", 8)
    'self.?evaluation.?trainingDocuments.orValue(8)'
    """
    return f"self.{'.'.join(f'?{part}' for part in path.split('.'))}.orValue({json.dumps(default)})"


# Strict numbers: the API server rejects "2e-5" in quotes, so this does, too.
Float = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Int = Annotated[int, Field(strict=True)]
Bool = Annotated[bool, Field(strict=True)]
MAX_SECONDS = 2**31 - 1
"""The longest time in seconds that Kubernetes can store."""
_POSITIVE_INT, _POSITIVE_DECIMAL = r"0*[1-9][0-9]*", r"[0-9]*[1-9][0-9]*\.[0-9]+|[0-9]+\.[0-9]*[1-9][0-9]*"
_QUANTITY_PATTERN = pattern(
    rf"^({_POSITIVE_INT}|{_POSITIVE_DECIMAL})(k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$",
    "a number of bytes above 0, such as 500M, 2G or 16Gi",
)
_CPU_PATTERN = pattern(
    rf"^({_POSITIVE_INT}m?|[0-9]*[1-9][0-9]*\.[0-9]{{1,3}}|[0-9]+\.([1-9][0-9]{{0,2}}|0[1-9][0-9]?|00[1-9]))$",
    "a number of CPUs of at least a thousandth, such as 4, 2.5 or 500m",
)


def _whole_number_as_text(value: Any) -> Any:
    """Accept `cpu: 4` for `cpu: "4"`, as Kubernetes does."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _quantity_schema(expression: str) -> WithJsonSchema:
    return WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "minimum": 1,
            "pattern": expression,
            "maxLength": 32,
        }
    )


Quantity = Annotated[
    str,
    Field(pattern=_QUANTITY_PATTERN, max_length=32),
    BeforeValidator(_whole_number_as_text),
    _quantity_schema(_QUANTITY_PATTERN),
]
"""A Kubernetes quantity of bytes, such as 500M, 2G or 16Gi."""
_UNITS = {unit: 1000.0**i for i, unit in enumerate(["", "k", "M", "G", "T", "P"])}
_UNITS |= {f"{unit}i": 1024.0**i for i, unit in enumerate("KMGTP", start=1)}


def count_bytes(quantity: Quantity) -> int:
    """The number of bytes of a quantity.

    >>> count_bytes("1.5Gi")
    1610612736
    """
    number = quantity.rstrip("".join(_UNITS))
    return int(float(number) * _UNITS[quantity.removeprefix(number)])


CpuQuantity = Annotated[
    str,
    Field(pattern=_CPU_PATTERN, max_length=32),
    BeforeValidator(_whole_number_as_text),
    _quantity_schema(_CPU_PATTERN),
]
"""CPUs: whole ("4"), decimal ("2.5") or in millicores ("500m")."""


def count_cpus(quantity: CpuQuantity) -> float:
    """The number of CPUs of a quantity.

    >>> count_cpus("2500m"), count_cpus("4")
    (2.5, 4.0)
    """
    return int(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)


Duration = Annotated[
    str,
    Field(
        pattern=pattern(
            r"^([0-9]{1,6}h([0-9]{1,6}m)?([0-9]{1,6}s)?|[0-9]{1,6}m([0-9]{1,6}s)?|[0-9]{1,6}s)$",
            "a time such as 30m, 6h or 1h30m",
        ),
        max_length=24,
    ),
]
"""A time in hours, minutes and seconds, as in other Kubernetes APIs."""
_SECONDS_OF = {"h": 3600, "m": 60, "s": 1}


def count_seconds(duration: Duration) -> int:
    """The number of seconds of a duration.

    >>> count_seconds("1h30m")
    5400
    """
    return sum(int(number) * _SECONDS_OF[unit] for number, unit in re.findall(r"([0-9]+)([hms])", duration))


_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
NAME_PATTERN = pattern(
    f"^{_SUBDOMAIN}$",
    "the name of a Kubernetes object: lower-case letters and digits, with '-' and '.' between them",
)
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=253)]
"""The name of another object in the same namespace."""
LabelledName = Annotated[str, Field(pattern=NAME_PATTERN, max_length=63)]
"""The name of another object that is the value of a label."""
NO_SPACES = pattern(r"^[^\s]+$", "a name without spaces")
DNS_LABEL = pattern(
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
    "lower-case letters, digits and '-', with a letter or digit at both ends",
)
QUALIFIED_NAME_LIMIT = 317
"""Characters of a label's or annotation's name: a prefix of 253, a slash, and 63."""
QUALIFIED_NAME = pattern(
    rf"^({_SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?$",
    "a label's name: letters, digits, '-', '_' and '.', at most 63, with a domain and '/' before it or not",
)
LABEL_VALUE = pattern(
    r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
    "a label's value: letters, digits, '-', '_' and '.', with a letter or digit at both ends",
)
LabelName = Annotated[str, Field(pattern=QUALIFIED_NAME, max_length=QUALIFIED_NAME_LIMIT)]
"""The name of a label, such as topology.kubernetes.io/zone."""
LabelValue = Annotated[str, Field(pattern=LABEL_VALUE, max_length=63)]
"""The value of a label."""
Labels = Annotated[dict[str, LabelValue], Field(max_length=32)]
"""Names and values of labels."""


def key_length_rule(field: str, limit: int, path: str) -> Rule:
    """The rule that the keys of a map are not too long; a structural schema has no keyword for it."""
    camel = to_camel(field)
    return Rule(
        cel=f"!has(self.{camel}) || self.{camel}.all(k, k.size() <= {limit})",
        check=lambda model: all(len(key) <= limit for key in getattr(model, field)),
        message=f"{path} must have keys of at most {limit} characters",
    )


def key_name_rule(field: str, path: str, kind: str) -> Rule:
    """The rule that the keys of a map are names of labels or annotations."""
    camel = to_camel(field)
    return Rule(
        cel=f"!has(self.{camel}) || self.{camel}.all(k, k.size() <= {QUALIFIED_NAME_LIMIT} && "
        f"k.indexOf('/') <= 253 && k.lowerAscii().matches(r'{QUALIFIED_NAME}'))",
        check=lambda model: all(_is_qualified_name(key) for key in getattr(model, field) or {}),
        message=f"{path} must have names of {kind} as keys: letters, digits, '-', '_' and '.', at most 63, "
        "with a domain and '/' before them or not",
    )


def _is_qualified_name(key: str) -> bool:
    fits = len(key) <= QUALIFIED_NAME_LIMIT and key.find("/") <= 253
    return fits and re.fullmatch(QUALIFIED_NAME, key.lower()) is not None
