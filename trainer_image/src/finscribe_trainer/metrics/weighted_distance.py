"""Edit distance of ordered trees whose nodes cost what the caller says.

Zhang and Shasha's algorithm (1989, "Simple fast algorithms for the editing distance between trees and
related problems"). It goes through the first tree's subtrees node by node; for each node, all subtrees of
the second tree are computed side by side.
"""

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
_NEVER = 1 << 60


class Postorder:
    """A tree's nodes, children before their parent, and the subtrees that Zhang and Shasha call keyroots."""

    def __init__(self, first: list[int], weights: list[int]) -> None:
        """Take the leftmost leaf below each node, and what inserting or deleting each node costs."""
        self.first = np.array(first)
        self.weights = np.array(weights)
        topmost = {leaf: node for node, leaf in enumerate(first)}
        self.keyroots = sorted(topmost.values())
        """Nodes with a left sibling, and the root: the topmost node of each leftmost path."""
        self.width = sum(node - first[node] + 2 for node in self.keyroots)
        """Places of all keyroots' subtrees side by side."""


class _Columns:
    """A tree's keyroots side by side, those without keyroots inside first.

    Each begins with a place for nothing.
    """

    def __init__(self, tree: Postorder) -> None:
        groups = _by_nesting(tree)
        node, before, begins, self.levels = [0], [0], [0], []
        for group in groups:
            start = len(node)
            for keyroot in group:
                left, begin = int(tree.first[keyroot]), len(node)
                begins.append(begin)
                node += [left, *range(left, keyroot + 1)]
                before += [begin, *(tree.first[left : keyroot + 1] - left + begin).tolist()]
            self.levels.append(slice(start, len(node)))
        self.node, self.before = np.array(node), np.array(before)
        """For each place its node, and the place before that node's subtree."""
        self.begins = np.array(begins)
        self.segment = np.zeros(len(node), np.int64)
        self.segment[self.begins[1:]] = 1
        self.segment = np.cumsum(self.segment)
        empty = np.zeros(len(node), bool)
        empty[self.begins] = True
        self.on_path = (self.before == self.begins[self.segment]) & ~empty
        """Places of nodes on the leftmost path of their keyroot."""
        inserted = np.where(empty, 0, tree.weights[self.node])
        total = np.cumsum(inserted)
        self.insertion = total - total[self.begins[self.segment]]
        """What it costs to insert all nodes of a keyroot's subtree up to each place."""


def _by_nesting(tree: Postorder) -> list[list[int]]:
    """Keyroots by how deeply other keyroots nest inside them, 0 first."""
    groups: list[list[int]] = []
    open_roots: list[tuple[int, int]] = []  # subtrees not yet inside another one: keyroot, nesting
    for keyroot in tree.keyroots:
        nesting = 0
        while open_roots and open_roots[-1][0] >= tree.first[keyroot]:
            nesting = max(nesting, open_roots.pop()[1] + 1)
        open_roots.append((keyroot, nesting))
        groups.extend([] for _ in range(nesting + 1 - len(groups)))
        groups[nesting].append(keyroot)
    return groups


def tree_distance(a: Postorder, b: Postorder, costs: Integers) -> int:
    """The least cost of edits that turn one tree into the other.

    Time O(a.width * b.width), memory O(nodes of a * b.width).

    Args:
        a: one tree.
        b: the other.
        costs: of renaming each node of a to each of b, shape (nodes of a, nodes of b).
    """
    columns = _Columns(b)
    # Falls so steeply from keyroot to keyroot that a running minimum never reaches back into the one before.
    steep = 2 * int(a.weights.sum() + b.weights.sum()) + 1
    ramp = columns.insertion + columns.segment * steep
    distances = np.zeros(costs.shape, np.int64)
    for keyroot in a.keyroots:
        _fill(a, keyroot, columns, ramp, costs, distances)
    return int(distances[-1, -1])


def _fill(
    a: Postorder, keyroot: int, columns: _Columns, ramp: Integers, costs: Integers, distances: Integers
) -> None:
    """Distances of the subtrees on the leftmost path of a's keyroot to all of b's.

    `forest[x, y]` is the distance of the keyroot's first x nodes to what is at or before place y.
    """
    left = int(a.first[keyroot])
    forest = np.empty((keyroot - left + 2, len(ramp)), np.int64)
    forest[0] = columns.insertion
    for row, node in enumerate(range(left, keyroot + 1), start=1):
        deleted = forest[row - 1] + a.weights[node]
        start = int(a.first[node]) - left
        if start:
            best = forest[start][columns.before] + distances[node][columns.node]
            best[columns.begins] = _NEVER
            _insert(np.minimum(best, deleted, out=best), ramp, forest[row])
            continue
        forest[row, 0] = deleted[0]
        renamed = np.full(len(ramp), _NEVER)
        renamed[1:] = forest[row - 1, :-1] + costs[node][columns.node[1:]]
        for level in columns.levels:
            on_path, nodes = columns.on_path[level], columns.node[level]
            best = np.where(
                on_path, renamed[level], forest[0][columns.before[level]] + distances[node][nodes]
            )
            best[columns.before[level] == np.arange(level.start, level.stop)] = _NEVER
            _insert(np.minimum(best, deleted[level], out=best), ramp[level], forest[row, level])
            distances[node, nodes[on_path]] = forest[row, level][on_path]


def _insert(best: Integers, ramp: Integers, out: Integers) -> None:
    """The least of `best` at each place, and of any place before it with all between inserted."""
    np.subtract(best, ramp, out=best)
    np.minimum.accumulate(best, out=best)
    np.add(best, ramp, out=out)
