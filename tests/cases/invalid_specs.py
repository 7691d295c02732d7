"""Reads the invalid jobs with which both pydantic and the CRD are tested."""

import re
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_TEXT = re.sub(r"x\*(\d+)", lambda m: "x" * int(m[1]), Path(__file__).with_suffix(".yaml").read_text())
TABLE: dict[str, Any] = yaml.safe_load(_TEXT)
VALID: dict[str, Any] = TABLE["valid"]


@dataclass(frozen=True)
class InvalidSpec:
    name: str
    job: dict[str, Any]
    """The bad job in full."""
    field: str
    """Named in every message."""
    message: str
    """Part of every message; empty where API server and pydantic use their own words."""

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def load_invalid_specs() -> list[InvalidSpec]:
    return [
        InvalidSpec(
            case["name"], _merged(deepcopy(VALID), case["change"]), case["field"], case.get("message", "")
        )
        for case in TABLE["cases"]
    ]


def _merged(target: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    for key, value in change.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict) and isinstance(target.get(key), dict):
            _merged(target[key], value)
        else:
            target[key] = value
    return target
