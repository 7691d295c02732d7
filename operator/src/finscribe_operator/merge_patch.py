"""Builds and applies JSON merge patches (RFC 7386)."""

from typing import Any

from finscribe_operator.objects import Object


def build_merge_patch(old: Object, new: Object) -> Object:
    """The patch from `old` to `new`: removed keys become null, lists are replaced as a whole.

    >>> build_merge_patch({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"c": 2, "d": 4}})
    {'b': {'d': 4}, 'a': None}
    """
    patch: Object = {}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            if nested := build_merge_patch(before, value):
                patch[key] = nested
        elif key not in old or before != value:
            patch[key] = value
    return patch | {key: None for key in old if key not in new}


def apply_merge_patch(live: Any, patch: Any) -> Any:
    """The object after the patch, as an API server applies it.

    >>> apply_merge_patch({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 4}, "a": None})
    {'b': {'c': 2, 'd': 4}}
    """
    if not isinstance(patch, dict):
        return patch
    result = dict(live) if isinstance(live, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = apply_merge_patch(result.get(key), value)
    return result
