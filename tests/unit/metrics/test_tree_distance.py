"""The edit distance of trees of any shape is the one that a plain, slow algorithm finds."""

import numpy as np
import pytest
import zss
from hypothesis import given, settings
from hypothesis import strategies as st

from finscribe_trainer.metrics.tree_distance import forest_distance
from finscribe_trainer.metrics.trees import Forest, Node, position_distance, size, trim

labels = st.sampled_from("abc")
trees = st.recursive(
    st.builds(lambda label: Node(label, ""), labels),
    lambda below: st.builds(
        lambda label, children: Node(label, "", tuple(children)), labels, st.lists(below, max_size=4)
    ),
    max_leaves=12,
)
forests = st.lists(trees, max_size=4).map(tuple)


def rename_all(a: list[Node], b: list[Node]) -> np.ndarray:
    return np.array([[rename(one, other) for other in b] for one in a])


def rename(a: Node, b: Node) -> float:
    """Some names are nearer to each other than others."""
    return 0.0 if a.label == b.label else 0.25 if {a.label, b.label} == {"a", "b"} else 1.0


def plain_distance(a: Forest, b: Forest) -> float:
    return zss.distance(
        Node(None, "", a),
        Node(None, "", b),
        get_children=lambda node: node.children,
        insert_cost=lambda _: 1,
        remove_cost=lambda _: 1,
        update_cost=rename,
    )


@given(forests, forests)
def test_the_distance_is_that_of_a_plain_algorithm(a, b):
    assert forest_distance(a, b, rename_all) == pytest.approx(plain_distance(a, b))


small = st.lists(trees, max_size=2).map(tuple)


@settings(max_examples=50)
@given(small, small, small, small)
def test_equal_trees_at_both_ends_can_be_set_aside(a, b, start, end):
    whole = (start + a + end, start + b + end)
    left = trim(*whole)
    assert size(left[0]) <= size(a) or size(left[1]) <= size(b)
    assert plain_distance(*left) == pytest.approx(plain_distance(*whole))


@given(forests, forests)
def test_matching_by_position_is_an_upper_bound(a, b):
    assert position_distance(a, b, rename) >= plain_distance(a, b) - 1e-12
