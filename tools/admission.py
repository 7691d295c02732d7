"""Builds the chart's table of limits: for each row of `limits.py`, the CEL that reads its values from a job.

The chart's template combines it with the limits in its values to a ValidatingAdmissionPolicy.
"""

import json
from typing import Any

from finscribe_core.api.defaults import defaults_of
from finscribe_core.api.v1alpha1 import FineTuneJobSpec
from finscribe_operator.limits import AMOUNTS, REFERENCES, UNSET, Reference, name_of


def limits_text() -> str:
    """The table as JSON.

    `values` is the CEL of all values. Where it is empty, there is one value: that of `written`, which is the
    CEL of an optional, or that of the platform team's default at `path`, or `default`. `change` is added to
    the CEL of the values.
    """
    table = {
        "references": [
            {
                "variable": _variable(reference.limit, reference.path),
                "limit": name_of(reference.limit),
                "field": reference.field,
                "missing": reference.missing,
                "values": _values(reference),
                "change": _change(reference),
                **_scalar(reference.path, None),
            }
            for reference in REFERENCES
        ],
        "amounts": [
            {
                "variable": _variable(amount.limit, amount.path),
                "limit": name_of(amount.limit),
                "field": amount.field,
                **_scalar(amount.path, UNSET),
            }
            for amount in AMOUNTS
        ],
    }
    return json.dumps(table, indent=2) + "\n"


def _variable(limit: str, path: str) -> str:
    """A name for the CEL variable of a row."""
    return f"{limit}_{''.join(c if c.isalnum() else '_' for c in path)}".rstrip("_")


def _scalar(path: str, default: Any) -> dict[str, Any]:
    """How a single value is read."""
    found: Any = defaults_of(FineTuneJobSpec)
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return {
        "written": _optional(path),
        "path": path.split("."),
        "default": default if found is None else found,
    }


def _values(reference: Reference) -> str:
    head, is_list, rest = reference.path.partition("[].")
    if reference.path.endswith("{}"):
        return f"{_optional(reference.path[:-2])}.orValue({{}}).map(k, k)"
    if not is_list:
        return ""
    items, value = f"{_optional(head)}.orValue([])", f"i.?{rest.replace('.', '.?')}"
    if reference.missing:
        return f"{items}.map(i, {value}.orValue(''))"
    return f"{items}.map(i, {value}.hasValue(), {value}.value())"


def _change(reference: Reference) -> str:
    only = f".filter(v, v.matches('^({reference.beginning})'))" if reference.beginning else ""
    folder = ".map(v, v.endsWith('/') ? v : v + '/')" if reference.is_folder else ""
    return only + folder


def _optional(path: str) -> str:
    return f"object.spec.?{path.replace('.', '.?')}"
