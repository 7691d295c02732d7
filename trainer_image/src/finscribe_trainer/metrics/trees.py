"""Ordered trees, and what of two can be matched without a search."""

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple


class Node(NamedTuple):
    """A node and all below it; two are equal if their whole trees are."""

    label: Hashable
    content: Sequence[str]
    """What a leaf holds; empty for the others."""
    children: "tuple[Node, ...]" = ()


Forest = tuple[Node, ...]


def size(forest: Forest) -> int:
    """Nodes of a forest."""
    return sum(1 + size(node.children) for node in forest)


def trim(a: Forest, b: Forest) -> tuple[Forest, Forest]:
    """What is left of two forests when equal trees at both ends are taken away, at no cost.

    This is exact: a mapping that crosses from a tree to the rest of the other forest can be changed, at no
    cost, to one that maps the two equal trees to each other; so, too, for two roots of one name.
    """
    while True:
        start = _equal(a, b)
        a, b = a[start:], b[start:]
        end = _equal(a[::-1], b[::-1])
        a, b = a[: len(a) - end], b[: len(b) - end]
        if len(a) != 1 or len(b) != 1 or a[0].label != b[0].label or a[0].content or b[0].content:
            return a, b
        a, b = a[0].children, b[0].children


def _equal(a: Forest, b: Forest) -> int:
    """Equal trees that both begin with."""
    count = 0
    for one, other in zip(a, b, strict=False):
        if one != other:
            break
        count += 1
    return count


def position_distance(a: Forest, b: Forest, rename: Callable[[Node, Node], float]) -> float:
    """An upper bound of the distance, in time O(n + m): the k-th tree of one forest becomes the k-th of the
    other, and so on below.
    """
    shared = min(len(a), len(b))
    pairs = zip(a[:shared], b[:shared], strict=True)
    matched = sum(
        rename(one, other) + position_distance(one.children, other.children, rename) for one, other in pairs
    )
    return matched + size(a[shared:]) + size(b[shared:])
