"""JSON merge patches (RFC 7386)."""

from finscribe_operator.objects import Object


def build_merge_patch(old: Object, new: Object) -> Object:
    """The patch that makes `new` of `old`: removed keys become null, lists are replaced as a whole.

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
