"""Ordered trees: nodes, postorder numbering, and matching of equal subtrees without a search."""

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple


class Node(NamedTuple):
    """A node with its subtree; nodes are equal if their subtrees are."""

    label: Hashable
    content: Sequence[str]
    """Text of a leaf; empty for inner nodes."""
    children: "tuple[Node, ...]" = ()


Forest = tuple[Node, ...]


def count_nodes(forest: Forest) -> int:
    """Number of nodes of a forest."""
    return sum(1 + count_nodes(node.children) for node in forest)


def postorder(root: Node) -> tuple[list[Node], list[int]]:
    """A tree's nodes, children before their parent and from left to right.

    Returns:
        the nodes, and for each node the index of the leftmost leaf of its subtree.
    """
    nodes: list[Node] = []
    leftmost: list[int] = []

    def add(node: Node) -> int:
        leaves = [add(child) for child in node.children]
        leaf = leaves[0] if leaves else len(nodes)
        nodes.append(node)
        leftmost.append(leaf)
        return leaf

    add(root)
    return nodes, leftmost


def strip_equal_trees(a: Forest, b: Forest) -> tuple[Forest, Forest]:
    """Remove equal trees at the start and end of two forests, and descend into equal single roots.

    This leaves the edit distance unchanged: any mapping that maps one of two equal trees elsewhere can be
    changed, at no additional cost, to one that maps them to each other; the same holds for two single roots
    with equal labels.
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
    """Number of equal trees that both forests start with."""
    count = 0
    for one, other in zip(a, b, strict=False):
        if one != other:
            break
        count += 1
    return count


def distance_by_position(a: Forest, b: Forest, rename: Callable[[Node, Node], float]) -> float:
    """An upper bound of the edit distance, in time O(n + m).

    Maps the k-th tree of one forest to the k-th tree of the other, recursively.
    """
    shared = min(len(a), len(b))
    pairs = zip(a[:shared], b[:shared], strict=True)
    matched = sum(
        rename(one, other) + distance_by_position(one.children, other.children, rename)
        for one, other in pairs
    )
    return matched + count_nodes(a[shared:]) + count_nodes(b[shared:])
