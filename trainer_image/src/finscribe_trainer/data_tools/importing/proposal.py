"""Proposes a mapping from the names of the fields and the values of the data."""

import itertools
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from finscribe_trainer.data_tools.importing.mapping import Kind, canonical_fields, fields_of
from finscribe_trainer.data_tools.importing.values import (
    DocumentValueError,
    Mark,
    currency_of,
    mark_of,
    order_of_days,
    to_decimal,
    to_iso,
)
from finscribe_trainer.documents.numbers import dump_json

_SAMPLES = 50
"""Values of a field that are looked at."""
_SHARE = 0.8
"""How many of them must be dates or amounts."""
_LAST = 1000
"""Rank of a name that is only used if no other field has it."""


class Proposal:
    """What is known of the answers so far."""

    def __init__(self) -> None:
        self._documents = 0
        self._counts: Counter[str] = Counter()
        self._samples: dict[str, list[Any]] = defaultdict(list)

    def add(self, answer: dict[str, Any]) -> None:
        """Look at the answer of one more document."""
        self._documents += 1
        seen = set()
        for path, _, value in fields_of(answer):
            seen.add(path)
            samples = self._samples[path]
            if len(samples) < _SAMPLES and value not in samples:
                samples.append(value)
        self._counts.update(seen)

    def text(self) -> str:
        """The file: a field per line, with an example."""
        mark = self._mark()
        targets = self._targets(mark)
        day_first = self._day_first()
        constants = self._constants(set(targets.values()))
        lines = [
            "# Which field of FinScribe's schema (docs/data.md) each field of your answers is. Correct this",
            "# proposal and run the command again. null leaves a field out; metadata.X keeps one unscored.",
            "fields:",
        ]
        for path, samples in self._samples.items():
            count = f"{self._counts[path]} of {self._documents}"
            example = re.sub(r"\s", " ", dump_json(samples[0]))[:60]
            target = targets.get(path)
            lines.append(f"  {_quoted(path)}: {target or 'null'}  # in {count}, such as {example}")
        lines += [
            "# Values of all documents in which no field gives one.",
            *(["constants:"] if constants else ["constants: {}"]),
            *(f"  {key}: {value or 'null'}" for key, value in constants.items()),
            "# Whether 01/02/2026 is in February; null while no date of the data shows it.",
            f"day_first: {json.dumps(day_first)}",
            "# What is before the decimals of amounts.",
            f"decimal_mark: {json.dumps(mark)}",
        ]
        return "\n".join(lines) + "\n"

    def _targets(self, mark: Mark) -> dict[str, str]:
        kinds, targets = canonical_fields(), dict[str, str]()
        for path in sorted(self._samples, key=lambda path: -self._counts[path]):
            for target in _known_names().get(_normalized(path), ()):
                if target in targets.values() or target.count("[]") != path.count("[]"):
                    continue
                if _fits(self._samples[path], kinds[target], mark):
                    targets[path] = target
                    break
        return targets

    def _mark(self) -> Mark:
        texts = (text for samples in self._samples.values() for text in samples if isinstance(text, str))
        marks = Counter(mark_of(text) for text in texts if _is_amount(text))
        return "," if marks[","] > marks["."] else "."

    def _day_first(self) -> bool | None:
        texts = [text for samples in self._samples.values() for text in samples if isinstance(text, str)]
        orders = {order_of_days(text) for text in texts} - {None}
        return orders.pop() if len(orders) == 1 else None

    def _constants(self, mapped: set[str]) -> dict[str, str | None]:
        kind = "invoice" if mapped & {"invoice_number", "due_date"} else "receipt"
        texts = [text for samples in self._samples.values() for text in samples if isinstance(text, str)]
        codes = Counter(currency_of(text) for text in texts if _is_amount(text))
        del codes[None]
        constants = {
            "document_type": kind,
            "financial_summary.currency": codes.most_common(1)[0][0] if codes else None,
        }
        return {key: value for key, value in constants.items() if key not in mapped}


def write_proposal(path: Path, answers: Iterable[dict[str, Any]]) -> None:
    """Write the proposal for these answers to a new file."""
    proposal = Proposal()
    for answer in answers:
        proposal.add(answer)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(proposal.text())


@cache
def _known_names() -> dict[str, list[str]]:
    """The canonical fields that a normalized path may mean, the most literal name first."""
    synonyms = yaml.safe_load(Path(__file__).with_name("synonyms.yaml").read_text(encoding="utf-8"))
    ranked: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for target in canonical_fields():
        names = [synonyms[part.removesuffix("[]")] for part in target.split(".")]
        for parts in itertools.product(*(enumerate(options) for options in names)):
            if name := "".join(part for _, part in parts):
                ranked[name].append((sum(rank for rank, _ in parts), target))
    for target, names in synonyms["also"].items():
        for name in names:
            ranked[name].append((_LAST, target))
    return {name: [target for _, target in sorted(found)] for name, found in ranked.items()}


def _normalized(path: str) -> str:
    folded = unicodedata.normalize("NFKD", path.casefold())
    return "".join(character for character in folded if character.isalnum())


def _fits(samples: list[Any], kind: Kind, mark: Mark) -> bool:
    """Whether most values are of a kind."""
    if kind == "text":
        return all(isinstance(value, str | int) for value in samples)
    good = sum(_is_date(value) if kind == "date" else _is_amount(value, mark) for value in samples)
    return good >= _SHARE * len(samples)


def _is_date(value: Any) -> bool:
    for day_first in (True, False):
        try:
            return bool(to_iso(str(value), day_first=day_first))
        except DocumentValueError:
            continue
    return False


def _is_amount(value: Any, *marks: Mark) -> bool:
    for mark in marks or (".", ","):
        try:
            return to_decimal(value, mark) is not None
        except DocumentValueError:
            continue
    return False


def _quoted(key: str) -> str:
    """A key as YAML; JSON's texts are YAML."""
    plain = re.fullmatch(r"[A-Za-z_][\w.]*", key) and key.lower() not in _YAML_WORDS
    return key if plain else json.dumps(key, ensure_ascii=False)


_YAML_WORDS = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
