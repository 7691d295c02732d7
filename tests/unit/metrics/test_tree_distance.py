"""Tree edit distances with unit costs equal those of the zss package, for trees of any shape."""

import numpy as np
import pytest
import zss
from hypothesis import given, settings
from hypothesis import strategies as st

from finscribe_trainer.metrics.trees import Forest, Node, count_nodes, distance_by_position, strip_equal_trees
from finscribe_trainer.metrics.unit_cost_distance import unit_cost_distance

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
    """A renaming cost that depends on the labels."""
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
def test_the_distance_equals_that_of_zss(a, b):
    assert unit_cost_distance(a, b, rename_all) == pytest.approx(plain_distance(a, b))


small = st.lists(trees, max_size=2).map(tuple)


@settings(max_examples=50)
@given(small, small, small, small)
def test_removing_equal_trees_at_both_ends_keeps_the_distance(a, b, start, end):
    whole = (start + a + end, start + b + end)
    left = strip_equal_trees(*whole)
    assert count_nodes(left[0]) <= count_nodes(a) or count_nodes(left[1]) <= count_nodes(b)
    assert plain_distance(*left) == pytest.approx(plain_distance(*whole))


@given(forests, forests)
def test_matching_by_position_is_an_upper_bound(a, b):
    assert distance_by_position(a, b, rename) >= plain_distance(a, b) - 1e-12
