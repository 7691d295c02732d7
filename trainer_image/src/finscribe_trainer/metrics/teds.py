"""TEDS: tree-edit-distance-based similarity of two tables, with and without their texts."""

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from finscribe_trainer.metrics.tables import Table
from finscribe_trainer.metrics.trees import Forest, Node, count_nodes, distance_by_position, strip_equal_trees
from finscribe_trainer.metrics.unit_cost_distance import Matrix, unit_cost_distance

MAX_NODE_PAIRS = 4_000_000
"""Two tables of 2000 nodes each; beyond, nodes are compared by position."""
MAX_SECTIONS = 20
"""Sections of a table; beyond, nodes are compared by position."""
MAX_CHARACTER_PAIRS = 20_000_000_000
"""Characters of one table times those of the other; beyond, texts are either equal or different."""


def teds(gold: Table, predicted: Table, *, structure_only: bool = False) -> float:
    """Tree-edit-distance-based similarity of two tables, from 0 to 1.

    1 - distance / nodes of the larger table. Inserting or deleting a node costs 1. Renaming costs 1 if tag,
    colspan or rowspan differ, else, for cells, the normalized Levenshtein distance of their texts. The scores
    are those of docling-metrics-table, except that tags inside cells are not nodes (that package also divides
    by them, so that an answer of many tags scores almost 1, although no edit concerns them), a distance
    larger than the table gives 0 instead of a negative score, and two empty tables give 1 instead of an
    error. One empty table gives 0.

    Exact up to MAX_NODE_PAIRS and MAX_CHARACTER_PAIRS (after removing equal rows at both ends) and
    MAX_SECTIONS; beyond, a lower bound, so that an endlessly repetitive answer costs about a second.

    Args:
        gold: the ground-truth table.
        predicted: the predicted table.
        structure_only: ignore the texts (TEDS-S, TEDS-Struct).

    Source: Zhong, ShafieiBavani, Jimeno Yepes 2020, "Image-based table recognition: data, model, and
    evaluation"; PubTabNet, `src/metric.py`.
    """
    if not gold.nodes or not predicted.nodes:
        return float(gold.nodes == predicted.nodes)
    a, b = strip_equal_trees(_forest(gold, structure_only), _forest(predicted, structure_only))
    few_sections = max(len(gold.sections), len(predicted.sections)) <= MAX_SECTIONS
    exact = few_sections and count_nodes(a) * count_nodes(b) <= MAX_NODE_PAIRS
    distance = unit_cost_distance(a, b, _rename) if exact else distance_by_position(a, b, _rename_one)
    return max(0.0, 1.0 - distance / max(gold.nodes, predicted.nodes))


def _forest(table: Table, structure_only: bool) -> Forest:
    """The nodes below <table>."""
    forest: list[Node] = []
    for section in table.sections:
        rows = tuple(
            Node(
                "tr",
                "",
                tuple(
                    Node(("td", cell.colspan, cell.rowspan), "" if structure_only else cell.content)
                    for cell in row
                ),
            )
            for row in section.rows
        )
        forest.extend(rows if section.tag is None else (Node(section.tag, "", rows),))
    return tuple(forest)


def _rename(a: list[Node], b: list[Node]) -> Matrix:
    """Costs of renaming nodes of a to nodes of b, shape (len(a), len(b)); equal texts are compared once."""
    ids = {label: number for number, label in enumerate({node.label for node in a + b})}
    labels_a, labels_b = (np.array([ids[node.label] for node in nodes]) for nodes in (a, b))
    costs: Matrix = (labels_a[:, None] != labels_b).astype(np.float64)
    texts_a, texts_b = (list({node.content: None for node in nodes}) for nodes in (a, b))
    if texts_a == texts_b == [""]:
        return costs
    if sum(map(len, texts_a)) * sum(map(len, texts_b)) <= MAX_CHARACTER_PAIRS:
        differences: Matrix = cdist(
            texts_a, texts_b, scorer=Levenshtein.normalized_distance, dtype=np.float64
        )
    else:
        differences = np.array([[float(one != other) for other in texts_b] for one in texts_a])
    numbers_a, numbers_b = ({text: i for i, text in enumerate(texts)} for texts in (texts_a, texts_b))
    rows, columns = [numbers_a[node.content] for node in a], [numbers_b[node.content] for node in b]
    np.maximum(costs, differences[np.ix_(rows, columns)], out=costs)
    return costs


def _rename_one(a: Node, b: Node) -> float:
    """An upper bound of the cost of renaming one node to another."""
    return float(a.label != b.label or a.content != b.content)
