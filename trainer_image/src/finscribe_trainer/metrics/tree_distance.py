"""Edit distance of ordered trees, exact, for trees that are wide and flat as tables are.

Zhang and Shasha's algorithm (1989, "Simple fast algorithms for the editing distance between trees and related
problems"): the distances of all pairs of subtrees, from the smallest to the whole. Three things make it fast:
equal trees at both ends are matched beforehand; pairs of leaves, and pairs of rows with nothing but leaves,
are computed all at once; the rest goes by rows of the matrix instead of by its places.

Inserting and deleting a node cost 1, renaming costs what the caller says, from 0 to 1.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


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


class _Tree:
    """A tree's nodes in postorder: children before their parent, from left to right."""

    def __init__(self, root: Node) -> None:
        self.nodes: list[Node] = []
        first: list[int] = []
        self._add(root, first)
        self.first: Indices = np.array(first)
        """The leftmost leaf below each node: its subtree is first..node."""
        index = np.arange(len(first))
        self.sizes: Indices = index - self.first + 1
        self.leaves: Indices = index[self.first == index]
        inner = [i for i in index if self.nodes[i].children]
        self.flat: Indices = np.array(
            [i for i in inner if not any(child.children for child in self.nodes[i].children)], np.int64
        )
        """Nodes whose children all are leaves."""
        deep = set(inner) - set(self.flat.tolist())
        last = {int(self.first[i]): int(i) for i in index}  # the topmost node of each leftmost leaf
        self.keyroots = [(i, i in deep) for i in sorted(last.values()) if i in deep or self.nodes[i].children]
        """Inner nodes with a left sibling, and the root; and whether they are deep: neither leaf nor flat."""

    def _add(self, node: Node, first: list[int]) -> int:
        begins = [self._add(child, first) for child in node.children]
        begin = begins[0] if begins else len(first)
        self.nodes.append(node)
        first.append(begin)
        return begin


Rename = Callable[[list[Node], list[Node]], Matrix]
"""The costs of renaming each of the first nodes to each of the second."""


def forest_distance(a: Forest, b: Forest, rename: Rename) -> float:
    """The least cost of edits that turn one forest into another.

    Time O(n * m) for depths as small as a table's, n and m being the nodes of both; memory O(n * m).
    """
    if not a or not b:
        return float(size(a) + size(b))
    one, other = _Tree(Node(None, "", a)), _Tree(Node(None, "", b))
    costs = rename(one.nodes, other.nodes)
    distances = np.zeros_like(costs)
    distances[one.leaves] = _from_leaves(costs[one.leaves], other)
    distances[:, other.leaves] = _from_leaves(costs[:, other.leaves].T, one).T
    if len(one.flat) and len(other.flat):
        distances[np.ix_(one.flat, other.flat)] = _between_flat(one, other, costs)
    for i, i_deep in one.keyroots:
        for j, j_deep in other.keyroots:
            if i_deep:
                _fill(one, i, other, j, costs, distances)
            elif j_deep:
                _fill(other, j, one, i, costs.T, distances.T)
    return float(distances[-1, -1])


def _from_leaves(costs: Matrix, tree: _Tree) -> Matrix:
    """Distances of leaves (rows) to all subtrees: the cheapest of its nodes is renamed, the rest inserted."""
    bounds = np.column_stack((tree.first, np.arange(len(tree.first)) + 1)).ravel()
    padded = np.column_stack((costs, np.ones(len(costs))))  # an end beyond the last node must exist
    cheapest: Matrix = np.minimum.reduceat(padded, bounds, axis=1)[:, ::2]
    return cheapest + (tree.sizes - 1.0)


def _between_flat(one: _Tree, other: _Tree, costs: Matrix) -> Matrix:
    """Distances of all pairs of flat nodes: their own renaming, and an alignment of their leaves.

    The leaves of all of `other`'s flat nodes stand side by side, each node's after a place for "none yet";
    one step takes the next leaf of each of `one`'s flat nodes.
    """
    lengths_a, lengths_b = one.sizes[one.flat] - 1, other.sizes[other.flat] - 1
    order = np.argsort(-lengths_a, kind="stable")  # longest first: those with leaves left stay at the front
    ends = np.cumsum(lengths_b + 1) - 1
    begins = ends - lengths_b
    place = np.arange(ends[-1] + 1) - np.repeat(begins, lengths_b + 1)
    segment = np.repeat(np.arange(len(begins)), lengths_b + 1)
    # Falls so steeply from node to node that a running minimum never reaches back into the node before.
    ramp = place + segment * float(lengths_a.max() + lengths_b.max() + 1)
    # A "none yet" has no leaf: the renaming it would read is never the least.
    leaf = other.first[other.flat][segment] + np.maximum(place - 1, 0)
    state = np.tile(place.astype(np.float64), (len(order), 1))
    first = one.first[one.flat][order]
    for step in range(int(lengths_a.max())):
        active = int(np.count_nonzero(lengths_a > step))
        now = state[:active]
        renamed = np.empty_like(now)
        renamed[:, 1:] = now[:, :-1] + costs[(first[:active] + step)[:, None], leaf[None, 1:]]
        renamed[:, begins] = np.inf
        np.minimum(renamed, now + 1, out=renamed)
        renamed -= ramp
        np.minimum.accumulate(renamed, axis=1, out=renamed)
        np.add(renamed, ramp, out=now)
    aligned = np.empty((len(order), len(ends)))
    aligned[order] = state[:, ends]
    return aligned + costs[np.ix_(one.flat, other.flat)]


def _fill(one: _Tree, i: int, other: _Tree, j: int, costs: Matrix, distances: Matrix) -> None:
    """Distances of the subtrees on the leftmost paths of i and j; all smaller ones must be there.

    `forest[x, y]` is the distance of i's first x nodes to j's first y nodes.
    """
    left, top = int(one.first[i]), int(other.first[j])
    columns = slice(top, j + 1)
    before = other.first[columns] - top  # nodes to the left of each subtree
    on_path = before == 0
    ramp = np.arange(j - top + 2, dtype=np.float64)
    forest = np.empty((i - left + 2, len(ramp)))
    forest[0] = ramp
    for row, x in enumerate(range(left, i + 1), start=1):
        start = int(one.first[x]) - left
        best = forest[start][before] + distances[x, columns]
        if start == 0:
            best = np.where(on_path, forest[row - 1, :-1] + costs[x, columns], best)
        np.minimum(best, forest[row - 1, 1:] + 1, out=best)
        now = forest[row]
        now[0] = row
        np.subtract(best, ramp[1:], out=now[1:])
        np.minimum.accumulate(now, out=now)  # an insertion is a step to the right
        now += ramp
        if start == 0:
            distances[x, columns][on_path] = now[1:][on_path]


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
