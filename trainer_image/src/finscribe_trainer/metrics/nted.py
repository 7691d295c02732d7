"""nTED: the normalized tree edit distance between an answer and the ground truth."""

from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from finscribe_trainer.metrics.alignment import pair_items
from finscribe_trainer.metrics.trees import Forest, Node, postorder, strip_equal_trees
from finscribe_trainer.metrics.weighted_distance import Integers, Postorder, weighted_distance

_LEAF = "<leaf>", ""
"""Label of text nodes; keys of objects are plain strings, so they never equal it."""
MAX_STEPS = 20_000_000
"""Search steps, enough for 65 line items of eight fields on both sides; beyond, a lower bound is given."""
MAX_CHARACTER_PAIRS = 20_000_000_000
"""Characters of one answer's texts times those of the other's; beyond, a lower bound is given."""


def nted(gold: Any, predicted: Any) -> float:
    """1 - distance(gold, predicted) / distance(gold, nothing), from 0 to 1, of two normalized answers.

    An answer is a tree: below an object its keys, sorted; below a key the items of its list, or its single
    value; below an item its keys; texts are leaves. Inserting or deleting a text costs its length in
    characters, renaming one the Levenshtein distance; inserting, deleting or renaming any other node costs 1.

    Beyond MAX_STEPS or MAX_CHARACTER_PAIRS the distance is that of one particular edit script, key by key and
    item by item (paired as for field accuracy, a text either equal or replaced): the score is a lower bound.

    Source: Kim et al. 2022, "OCR-free document understanding transformer" (Donut),
    `JSONParseEvaluator.cal_acc`.
    """
    if gold == predicted:
        return 1.0
    gold_tree, predicted_tree = build_tree(gold), build_tree(predicted)
    total_weight = _weigh(gold_tree)
    if not total_weight:
        return 0.0
    (nodes_a, a), (nodes_b, b) = map(_postorder, strip_equal_trees(gold_tree, predicted_tree))
    characters = [sum(len(node.content) for node in nodes) for nodes in (nodes_a, nodes_b)]
    if a.width * b.width > MAX_STEPS or characters[0] * characters[1] > MAX_CHARACTER_PAIRS:
        distance = _distance_by_pairs(gold, predicted)
    else:
        distance = weighted_distance(a, b, _rename(nodes_a, nodes_b))
    return max(0.0, 1.0 - distance / total_weight)


def build_tree(value: Any) -> Forest:
    """The subtrees for a normalized value."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key), key))
        return tuple(Node(key, "", build_tree(_as_list(value[key]))) for key in keys)
    if isinstance(value, list):
        return tuple(
            Node(_LEAF, item) if isinstance(item, str) else Node("<subtree>", "", build_tree(item))
            for item in value
        )
    return () if value is None else (Node(_LEAF, value),)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _weight(node: Node) -> int:
    return len(node.content) if node.label == _LEAF else 1


def _weigh(forest: Forest) -> int:
    return sum(_weight(node) + _weigh(node.children) for node in forest)


def _postorder(forest: Forest) -> tuple[list[Node], Postorder]:
    """The tree of a forest below a common root."""
    nodes, leftmost = postorder(Node(None, "", forest))
    return nodes, Postorder(leftmost, [_weight(node) for node in nodes])


def _rename(a: list[Node], b: list[Node]) -> Integers:
    """Costs of renaming nodes of a to nodes of b, shape (len(a), len(b)); equal texts are compared once."""
    numbers = {label: number for number, label in enumerate({node.label for node in a + b})}
    labels_a, labels_b = (np.array([numbers[node.label] for node in nodes]) for nodes in (a, b))
    leaf = numbers.get(_LEAF, -1)
    texts_a, texts_b = (list({node.content: None for node in nodes}) for nodes in (a, b))
    distances = cdist(texts_a, texts_b, scorer=Levenshtein.distance, dtype=np.int64)
    places_a, places_b = ({text: i for i, text in enumerate(texts)} for texts in (texts_a, texts_b))
    rows, columns = [places_a[node.content] for node in a], [places_b[node.content] for node in b]
    # Renaming a text to another kind of node costs as much as deleting the one and inserting the other.
    costs: Integers = distances[np.ix_(rows, columns)]
    mixed = (labels_a == leaf)[:, None] != (labels_b == leaf)
    return costs + np.where(mixed, 1, labels_a[:, None] != labels_b)


def _distance_by_pairs(gold: Any, predicted: Any) -> int:
    """Cost of the edits when keys are paired by name and list items by `pair_items`, recursively."""
    if isinstance(gold, dict) and isinstance(predicted, dict):
        shared = gold.keys() & predicted.keys()
        alone = [Node(key, "", build_tree(_as_list(gold[key]))) for key in gold.keys() - shared]
        alone += [Node(key, "", build_tree(_as_list(predicted[key]))) for key in predicted.keys() - shared]
        paired = sum(_distance_by_pairs(_as_list(gold[key]), _as_list(predicted[key])) for key in shared)
        return paired + _weigh(tuple(alone))
    if isinstance(gold, list) and isinstance(predicted, list):
        partners = pair_items(gold, predicted)
        pairs = [(index, partner) for index, partner in enumerate(partners) if partner is not None]
        paired = sum(_distance_by_pairs(gold[index], predicted[partner]) for index, partner in pairs)
        ours, theirs = {index for index, _ in pairs}, {partner for _, partner in pairs}
        missing = [item for index, item in enumerate(gold) if index not in ours]
        extra = [item for index, item in enumerate(predicted) if index not in theirs]
        return paired + _weigh(build_tree(missing)) + _weigh(build_tree(extra))
    if isinstance(gold, str) and isinstance(predicted, str):
        return 0 if gold == predicted else max(len(gold), len(predicted))
    return _weigh(build_tree([gold])) + _weigh(build_tree([predicted]))
