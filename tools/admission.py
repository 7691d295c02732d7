"""Builds the chart's table of limits: for each row of `limits.py`, the CEL that reads its values from a job.

The chart's template combines it with the limits in its values to a ValidatingAdmissionPolicy.
"""

import json
from typing import Any

from finscribe_core.api.defaults import defaults_of
from finscribe_core.api.v1alpha1 import FineTuneJobSpec
from finscribe_operator.limits import AMOUNTS, NODES, REFERENCES, UNSET, Reference, name_of


def limits_text() -> str:
    """The table as JSON.

    `values` is the CEL of the values that are refused, `amount` that of an amount. The template replaces
    `FILTER` by the filter of what is refused, and `DEFAULT` by the platform team's default at `path`, or by
    `default`. `first` selects the first refused value. An amount counts `nodes` times.
    """
    table = {
        "references": [
            {
                "variable": f"{reference.limit}_{number}",
                "limit": name_of(reference.limit),
                "field": reference.field,
                "missing": reference.missing,
                "values": _refused(reference),
                "first": "[0]" * max(reference.path.count("[]"), 1),
                **_default(reference.path, None),
            }
            for number, reference in enumerate(REFERENCES)
        ],
        "amounts": [
            {
                "variable": f"{amount.limit}_asked",
                "limit": name_of(amount.limit),
                "field": amount.field,
                "nodes": _NODES if amount.is_per_node else "1",
                "amount": f"string({_optional('object.spec', amount.path)}.orValue(dyn(DEFAULT)))",
                **_default(amount.path, UNSET),
            }
            for amount in AMOUNTS
        ],
    }
    return json.dumps(table, indent=2) + "\n"


def _default(path: str, default: Any) -> dict[str, Any]:
    """Where a default of the platform team is, and the built-in one."""
    found: Any = defaults_of(FineTuneJobSpec)
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return {"path": path.split("."), "default": default if found is None else found}


def _refused(reference: Reference) -> str:
    only = f".filter(v, v.matches('^({reference.beginning})'))" if reference.beginning else ""
    folder = ".map(v, v.endsWith('/') ? v : v + '/')" if reference.is_folder else ""
    if reference.path.endswith("{}"):
        return f"{_optional('object.spec', reference.path[:-2])}.orValue({{}}).map(k, k)FILTER"
    if "[]" in reference.path:
        return _refused_of_lists("object.spec", reference.path.split("[]"), reference.missing)
    value = _optional("object.spec", reference.path)
    return f"[?{value}.or(optional.ofNonZeroValue(DEFAULT))]{only}{folder}FILTER"


def _refused_of_lists(base: str, parts: list[str], missing: str) -> str:
    """Refused values in nested lists; all but those of the innermost list are in lists themselves."""
    items, item, rest = f"{_optional(base, parts[0])}.orValue([])", f"i{len(parts)}", parts[1:]
    if len(rest) > 1:
        return f"{items}.map({item}, {_refused_of_lists(item, rest, missing)}).filter(l, size(l) > 0)"
    if not rest[0]:
        return f"{items}FILTER"
    value = _optional(item, rest[0])
    if missing:
        return f"{items}.map({item}, {value}.orValue(''))FILTER"
    return f"{items}.map({item}, {value}.hasValue(), {value}.value())FILTER"


def _optional(base: str, path: str) -> str:
    return f"{base}.?{path.removeprefix('.').replace('.', '.?')}"


_NODES = f"{_optional('object.spec', NODES)}.orValue(1)"
