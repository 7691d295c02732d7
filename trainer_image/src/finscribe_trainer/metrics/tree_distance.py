"""Edit distance of ordered trees, exact, for trees that are wide and flat as tables are.

Zhang and Shasha's algorithm (1989, "Simple fast algorithms for the editing distance between trees and related
problems"): the distances of all pairs of subtrees, from the smallest to the whole. Three things make it fast:
pairs with a leaf have a formula; nodes that hold nothing but leaves (a table's rows) are computed all at
once; the rest goes by rows of the matrix instead of by its places.

Inserting and deleting a node cost 1, renaming costs what the caller says, from 0 to 1.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from finscribe_trainer.metrics.trees import Forest, Node, size

Matrix = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


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
        inner = [i for i, node in enumerate(self.nodes) if node.children]
        deep = {i for i in inner if any(child.children for child in self.nodes[i].children)}
        self.flat: Indices = np.array([i for i in inner if i not in deep])
        """Nodes whose children all are leaves."""
        topmost = {leaf: i for i, leaf in enumerate(first)}  # of each leftmost path
        self.deep = sorted(deep.intersection(topmost.values()))
        """Nodes that are neither leaf nor flat and have a left sibling, and the root if it is so."""

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
    distances[np.ix_(one.flat, other.flat)] = _between_flat(one, other, costs)
    for j in other.deep:
        _flat_to_deep(one, other, j, costs, distances)
    for i in one.deep:
        _flat_to_deep(other, one, i, costs.T, distances.T)
    for i in one.deep:
        for j in other.deep:
            _fill(one, i, other, j, costs, distances)
    return float(distances[-1, -1])


def _from_leaves(costs: Matrix, tree: _Tree) -> Matrix:
    """Distances of leaves (rows) to all subtrees: the cheapest of its nodes is renamed, the rest inserted."""
    bounds = np.column_stack((tree.first, np.arange(len(tree.first)) + 1)).ravel()
    padded = np.column_stack((costs, np.ones(len(costs))))  # an end beyond the last node must exist
    cheapest: Matrix = np.minimum.reduceat(padded, bounds, axis=1)[:, ::2]
    return cheapest + (tree.sizes - 1.0)


def _between_flat(one: _Tree, other: _Tree, costs: Matrix) -> Matrix:
    """Distances of all pairs of flat nodes: their own renaming, and an alignment of their leaves (to match
    one of them with a leaf instead is never cheaper: all other nodes would be deleted or inserted).

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


def _flat_to_deep(one: _Tree, other: _Tree, j: int, costs: Matrix, distances: Matrix) -> None:
    """Distances of all flat nodes to the subtrees on j's leftmost path; all smaller ones must be there."""
    lengths = one.sizes[one.flat] - 1
    order = np.argsort(-lengths, kind="stable")
    flat, lengths = one.flat[order], lengths[order]
    columns, before, on_path, ramp = _columns(other, j)
    forest = np.tile(ramp, (len(flat), 1))
    for step in range(int(lengths[0])):
        active = int(np.count_nonzero(lengths > step))
        now = forest[:active]
        best = now[:, before] + distances[one.first[flat[:active]] + step, columns]
        np.minimum(best, now[:, 1:] + 1, out=best)
        _insert(now, best, ramp, step + 1)
    matched = np.where(
        on_path, forest[:, :-1] + costs[flat, columns], ramp[before] + distances[flat, columns]
    )
    _insert(forest, np.minimum(matched, forest[:, 1:] + 1), ramp, lengths + 1)
    distances[np.ix_(flat, np.arange(columns.start, columns.stop)[on_path])] = forest[:, 1:][:, on_path]


def _fill(one: _Tree, i: int, other: _Tree, j: int, costs: Matrix, distances: Matrix) -> None:
    """Distances of the subtrees on i's and j's leftmost paths; all smaller ones must be there.

    `forest[x, y]` is the distance of i's first x nodes to j's first y nodes.
    """
    left = int(one.first[i])
    columns, before, on_path, ramp = _columns(other, j)
    forest = np.tile(ramp, (i - left + 2, 1))
    for row, x in enumerate(range(left, i + 1), start=1):
        start = int(one.first[x]) - left
        best = forest[start].take(before) + distances[x, columns]
        if start == 0:
            best = np.where(on_path, forest[row - 1, :-1] + costs[x, columns], best)
        np.minimum(best, forest[row - 1, 1:] + 1, out=best)
        _insert(forest[row], best, ramp, row)
        if start == 0:
            distances[x, columns][on_path] = forest[row, 1:][on_path]


def _columns(tree: _Tree, j: int) -> tuple[slice, Indices, npt.NDArray[np.bool_], Matrix]:
    """The nodes of j's subtree; how many of them are to the left of each one's subtree; whether that is none;
    and the costs of inserting the first 0, 1, 2... of them.
    """
    first = int(tree.first[j])
    columns = slice(first, j + 1)
    before = tree.first[columns] - first
    return columns, before, before == 0, np.arange(j - first + 2, dtype=np.float64)


def _insert(now: Matrix, best: Matrix, ramp: Matrix, deleted: int | Indices) -> None:
    """Writes the least costs into `now`: those of `best`, or of the place to the left and an insertion."""
    now[..., 0] = deleted
    np.subtract(best, ramp[1:], out=now[..., 1:])
    np.minimum.accumulate(now, axis=-1, out=now)
    now += ramp
