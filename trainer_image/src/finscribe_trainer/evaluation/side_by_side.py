"""One document leaf by leaf: what is right, and what both models read."""

from dataclasses import dataclass
from typing import Any

from finscribe_trainer.documents.numbers import load_json
from finscribe_trainer.documents.paths import leaves
from finscribe_trainer.evaluation.compare import Reading

WHOLE_ANSWER = "(whole answer)"


@dataclass(frozen=True)
class Leaf:
    """One value of a document; None is a value that is not there."""

    path: str
    gold: str | None
    base: str | None
    tuned: str | None
    base_right: bool
    tuned_right: bool

    @property
    def differs(self) -> bool:
        """True when a model read it wrong."""
        return not (self.base_right and self.tuned_right)


def side_by_side(reading: Reading) -> list[Leaf]:
    """Every leaf of the right answer in its order, then what models added."""
    gold, base, tuned = (
        _leaves(text) for text in (reading.base.gold, reading.base.predicted, reading.tuned.predicted)
    )
    paths = dict.fromkeys((*gold, *base, *tuned))
    return [
        Leaf(
            path,
            gold.get(path),
            base.get(path),
            tuned.get(path),
            base_right=gold.get(path) == base.get(path),
            tuned_right=gold.get(path) == tuned.get(path),
        )
        for path in paths
    ]


def _leaves(text: str) -> dict[str, str]:
    try:
        data: Any = load_json(text)
    except ValueError:
        return {WHOLE_ANSWER: text}
    return {path or WHOLE_ANSWER: str(value) for path, value in leaves(data)}
