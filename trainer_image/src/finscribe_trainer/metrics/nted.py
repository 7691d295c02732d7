"""nTED: how many edits turn an answer's tree into the right one."""

from typing import Any, NamedTuple

from rapidfuzz.distance import Levenshtein

MAX_NODE_PAIRS = 4_000_000
"""Nodes of one tree times nodes of the other: beyond, unequal trees score 0."""


class Node(NamedTuple):
    """A key, an item of a list, or a text, with what is below it."""

    label: str
    leaf: bool
    children: "tuple[Node, ...]" = ()


def nted(gold: Any, predicted: Any) -> float:
    """1 - edits / edits that make the right answer from nothing, from 0 to 1; of answers in normal form.

    Answers are trees: objects' keys, sorted, below them items of lists, and texts as leaves. Inserting or deleting
    a text costs its characters, renaming it the Levenshtein distance; any other node costs 1.

    Source: Kim et al. 2022, "OCR-free document understanding transformer" (Donut), `JSONParseEvaluator.cal_acc`.
    """
    if gold == predicted:
        return 1.0
    a, b = tree(predicted), tree(gold)
    whole = sum(map(_weight, _all(b)))
    if len(list(_all(a))) * len(list(_all(b))) > MAX_NODE_PAIRS:
        return 0.0
    return max(0.0, 1.0 - distance(a, b) / whole)


def tree(value: Any) -> tuple[Node, ...]:
    """What stands below the root."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key), key))
        return tuple(
            Node(key, False, tree(value[key] if isinstance(value[key], list) else [value[key]]))
            for key in keys
        )
    if isinstance(value, list):
        return tuple(
            Node(item, True) if isinstance(item, str) else Node("<subtree>", False, tree(item))
            for item in value
        )
    return () if value is None else (Node(value, True),)


def _all(nodes: tuple[Node, ...]) -> Any:
    for node in nodes:
        yield node
        yield from _all(node.children)


def _weight(node: Node) -> int:
    return len(node.label) if node.leaf else 1


def _rename(a: Node, b: Node) -> int:
    if a.leaf and b.leaf:
        return Levenshtein.distance(a.label, b.label)
    if a.leaf or b.leaf:
        return _weight(a) + _weight(b)
    return int(a.label != b.label)


def distance(a: tuple[Node, ...], b: tuple[Node, ...]) -> float:
    def post(forest):
        nodes, first = [], []

        def add(node):
            begins = [add(c) for c in node.children]
            begin = begins[0] if begins else len(first)
            nodes.append(node)
            first.append(begin)
            return begin

        add(Node("<root>", False, forest))
        last = {f: i for i, f in enumerate(first)}
        return nodes, first, sorted(last.values())

    na, fa, ka = post(a)
    nb, fb, kb = post(b)
    wa, wb = [_weight(n) for n in na], [_weight(n) for n in nb]
    wa[-1] = wb[-1] = 1
    costs = [[_rename(x, y) for y in nb] for x in na]
    td = [[0] * len(nb) for _ in na]
    for i in ka:
        for j in kb:
            li, lj = fa[i], fb[j]
            fd = [[0] * (j - lj + 2) for _ in range(i - li + 2)]
            for x in range(li, i + 1):
                fd[x - li + 1][0] = fd[x - li][0] + wa[x]
            for y in range(lj, j + 1):
                fd[0][y - lj + 1] = fd[0][y - lj] + wb[y]
            for x in range(li, i + 1):
                for y in range(lj, j + 1):
                    p, q = x - li + 1, y - lj + 1
                    if fa[x] == li and fb[y] == lj:
                        v = fd[p - 1][q - 1] + costs[x][y]
                        v = min(v, fd[p - 1][q] + wa[x], fd[p][q - 1] + wb[y])
                        td[x][y] = v
                    else:
                        v = fd[fa[x] - li][fb[y] - lj] + td[x][y]
                        v = min(v, fd[p - 1][q] + wa[x], fd[p][q - 1] + wb[y])
                    fd[p][q] = v
    return td[-1][-1]
