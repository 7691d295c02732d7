"""Exact tree edit distance with an integer insertion and deletion cost for each node.

Zhang and Shasha's algorithm (1989, "Simple fast algorithms for the editing distance between trees and
related problems"). It iterates over the nodes of the first tree's subtrees; for each node, the distances to
all subtrees of the second tree are computed together.
"""

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
_NEVER = 1 << 60


class Postorder:
    """A tree in postorder, with its keyroots (Zhang and Shasha)."""

    def __init__(self, first: list[int], weights: list[int]) -> None:
        """Find the keyroots.

        Args:
            first: index of the leftmost leaf of each node's subtree.
            weights: cost of inserting or deleting each node.
        """
        self.first = np.array(first)
        self.weights = np.array(weights)
        topmost = {leaf: node for node, leaf in enumerate(first)}
        self.keyroots = sorted(topmost.values())
        """The topmost node of each leftmost path: the root and all nodes with a left sibling."""
        self.width = sum(node - first[node] + 2 for node in self.keyroots)
        """Number of columns of all keyroots' concatenated subtrees."""


class _Columns:
    """The concatenated subtrees of a tree's keyroots, innermost keyroots first.

    Each subtree is preceded by a column for the empty prefix.
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
        """For each column its node, and the column before that node's subtree."""
        self.begins = np.array(begins)
        self.segment = np.zeros(len(node), np.int64)
        self.segment[self.begins[1:]] = 1
        self.segment = np.cumsum(self.segment)
        empty = np.zeros(len(node), bool)
        empty[self.begins] = True
        self.on_path = (self.before == self.begins[self.segment]) & ~empty
        """Columns of nodes on the leftmost path of their keyroot."""
        inserted = np.where(empty, 0, tree.weights[self.node])
        total = np.cumsum(inserted)
        self.insertion = total - total[self.begins[self.segment]]
        """Cost of inserting the nodes of a keyroot's subtree up to each column."""


def _by_nesting(tree: Postorder) -> list[list[int]]:
    """Keyroots grouped by how deeply other keyroots nest inside them, 0 first."""
    groups: list[list[int]] = []
    open_roots: list[
        tuple[int, int]
    ] = []  # (keyroot, nesting) of subtrees that are not yet part of another one
    for keyroot in tree.keyroots:
        nesting = 0
        while open_roots and open_roots[-1][0] >= tree.first[keyroot]:
            nesting = max(nesting, open_roots.pop()[1] + 1)
        open_roots.append((keyroot, nesting))
        groups.extend([] for _ in range(nesting + 1 - len(groups)))
        groups[nesting].append(keyroot)
    return groups


def weighted_distance(a: Postorder, b: Postorder, costs: Integers) -> int:
    """The minimum cost of edits that turn one tree into the other.

    Time O(a.width * b.width), memory O(nodes of a * b.width).

    Args:
        a: one tree.
        b: the other.
        costs: of renaming each node of a to each of b, shape (nodes of a, nodes of b).
    """
    columns = _Columns(b)
    # The offset between keyroots is so large that a running minimum never uses columns of the previous one.
    offset = 2 * int(a.weights.sum() + b.weights.sum()) + 1
    ramp = columns.insertion + columns.segment * offset
    distances = np.zeros(costs.shape, np.int64)
    for keyroot in a.keyroots:
        _fill(a, keyroot, columns, ramp, costs, distances)
    return int(distances[-1, -1])


def _fill(
    a: Postorder, keyroot: int, columns: _Columns, ramp: Integers, costs: Integers, distances: Integers
) -> None:
    """Set the distances of the subtrees on the leftmost path of a's keyroot to all subtrees of b.

    `forest[x, y]` is the distance between the keyroot's first x nodes and the nodes up to column y.
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
    """Write the minimum of `best` at each column and of any column before it plus insertions into `out`."""
    np.subtract(best, ramp, out=best)
    np.minimum.accumulate(best, out=best)
    np.add(best, ramp, out=out)
