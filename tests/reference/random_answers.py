"""Random and handmade pairs of answers, ground truth and prediction with errors; all leaves are strings."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from tests.support.documents import invoice

HANDMADE: tuple[tuple[Any, Any], ...] = (
    ({"a": "x"}, {"a": "x"}),
    ({"a": "x"}, {}),
    ({"a": "x"}, {"b": "x"}),
    ({"a": "x"}, {"a": ["x"]}),
    ({"a": "x"}, {"a": {"b": "x"}}),
    ({"a": "Acme GmbH"}, {"a": "ACME GMBH"}),
    ({"a": "abcd"}, {"a": "abzz"}),  # exactly at the threshold
    ({"a": "abcd"}, {"a": "azzz"}),
    ({"a": ["x", "y", "z"]}, {"a": ["z", "y", "x"]}),
    ({"a": ["x", "x", "y"]}, {"a": ["x", "y", "y"]}),
    ({"a": [{"b": "x", "c": "y"}]}, {"a": [{"b": "x"}, {"c": "y"}]}),
    ({"a": [{"b": "x"}, {"b": "y"}]}, {"a": {"b": "x"}}),
    ({"a": [{"b": ["x", "y"]}, {"b": ["z"]}]}, {"a": [{"b": ["z"]}, {"b": ["y", "x"]}]}),
    ([{"a": "x"}, {"a": "y"}], [{"a": "y"}, {"a": "x"}]),
    ({"a": "Größe", "b": "合計 12,50 €"}, {"a": "Grosse", "b": "合計 12.50 €"}),
    ({"aa": "x", "b": "y"}, {"b": "y", "aa": "x"}),
    ({"a": {"b": {"c": {"d": "deep"}}}}, {"a": {"b": {"d": "deep"}}}),
)


def random_pairs(random: Random, count: int) -> Iterator[tuple[Any, Any]]:
    """`count` pairs: the handmade ones, then random ones.

    Of every four random pairs, one is an invoice and one is of two unrelated objects.
    """
    yield from HANDMADE[:count]
    for number in range(count - len(HANDMADE)):
        gold = json.loads(invoice(random.randint(1, 4))) if number % 4 == 0 else random_object(random, 4)
        predicted = random_object(random, 4) if number % 4 == 1 else misread(random, gold)
        yield gold, predicted or {"q": "nothing"}


def random_object(random: Random, depth: int) -> dict[str, Any]:
    """An object of up to four keys, nested up to that depth."""
    return {
        random.choice("abcdefgh") * random.randint(1, 2): random_value(random, depth)
        for _ in range(random.randint(1, 4))
    }


def random_value(random: Random, depth: int) -> Any:
    """A string, an object, a list of objects or a list of strings."""
    kind = random.random() if depth > 1 else 1.0
    if kind < 0.25:
        return random_object(random, depth - 1)
    if kind < 0.4:
        return [random_object(random, depth - 1) for _ in range(random.randint(1, 4))]
    if kind < 0.5:
        return [random_text(random) for _ in range(random.randint(1, 3))]
    return random_text(random)


def random_text(random: Random) -> str:
    """One to eight characters, without white space at the ends."""
    return "".join(random.choice("xyzÄ ") for _ in range(random.randint(0, 7))).strip() + "x"


def misread(random: Random, value: Any) -> Any:
    """The value with some errors: keys and items lost or added, strings changed."""
    if isinstance(value, dict):
        items = {key: misread(random, item) for key, item in value.items() if random.random() < 0.92}
        return {key: item for key, item in items.items() if item} | (
            {"extra": random_text(random)} if random.random() < 0.1 else {}
        )
    if isinstance(value, list):
        kept = [misread(random, item) for item in value if random.random() < 0.92]
        return [item for item in kept if item]
    return value if random.random() < 0.7 else random_text(random)
