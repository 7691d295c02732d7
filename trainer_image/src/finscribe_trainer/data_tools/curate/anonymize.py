"""Replaces who is named in rows by stand-ins, in prompts and answers alike; amounts and dates stay."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.row_problems import RowProblems
from finscribe_trainer.data.row_reader import read_rows
from finscribe_trainer.data.rows import Row
from finscribe_trainer.data_tools.curate.mentions import Names, replace
from finscribe_trainer.data_tools.curate.patterns import find_patterns
from finscribe_trainer.data_tools.curate.pseudonyms import Pseudonyms
from finscribe_trainer.data_tools.curate.writing import new_files
from finscribe_trainer.documents.numbers import dump_json, load_json
from finscribe_trainer.runtime.progress import progress

SIDES = ("vendor", "client")
KEPT = ("document_type", "invoice_number", "po_number", "issue_date", "due_date", "financial_summary")
"""Fields of a document that stay as they are, beside every number and date."""
LOCAL = ("city", "zip")
"""Looked for in their own row's text alone: elsewhere a town's name is a word, a postal code a number."""
_METADATA = ("metadata",)
_START_OF_WEBSITE = re.compile(r"^(?:\w+://)?(?:www\.)?", re.IGNORECASE)
_MIN_CODE = 6
"""Characters that a number must have to be looked for in texts: a shorter one could be any."""
_REMEMBERED = 1 << 16
"""Stand-ins of a kind kept at hand: making one takes Faker 50 us, and most vendors come again."""
_NUMBER_OR_DATE = re.compile(r"-?\d+(?:\.\d+)?|\d{4}-\d\d-\d\d")


@dataclass
class Outcome:
    """What was done; never an original."""

    rows: int = 0
    replaced: Counter[str] = field(default_factory=Counter)
    """How often, by kind."""
    unstructured: int = 0
    """Rows whose answer names no vendor or client: patterns, and names known from others, were looked for."""
    images: int = 0
    """Images that were dropped."""


def anonymize_rows(source: Path, output: Path, key: bytes, *, drop_images: bool) -> Outcome:
    """Write each row's prompt and answer with stand-ins; other keys of a row are left out.

    Two passes: names are learned from all answers, then replaced in all texts. Memory holds each name once.

    Raises:
        UserError: DatasetInvalid naming rows that can't be used, or that hold images which may not be
            dropped; InvalidConfig when `output` exists.
    """
    file = DataFile(source, str(source))
    anonymizer = Anonymizer(Pseudonyms(key))
    with new_files(output) as [rows]:
        problems = RowProblems()
        for where, row in progress(read_rows(file, problems), "Collect names", unit="rows"):
            if row.images and not drop_images:
                problems.add(where, "the row names an image, which would show everything; see --drop-images")
            anonymizer.learn(row)
        problems.raise_if_any()
        for _, row in progress(read_rows(file, RowProblems()), "Replace names", unit="rows"):
            rows.write(dump_json(anonymizer.replace(row)) + "\n")
        if not anonymizer.outcome.rows:
            raise UserError(
                FailureReason.DatasetInvalid, f"{source}: there are no rows.", "Write one row per line."
            )
    return anonymizer.outcome


class Anonymizer:
    """Knows a set's names, once it has learned from every row."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms
        self._names = Names()
        self.outcome = Outcome()
        party: dict[tuple[str, ...], tuple[str, Callable[[str], str]]] = {
            (): ("name", pseudonyms.name),  # of other schemas: "vendor": "Acme"
            ("address",): ("street", pseudonyms.street),
            ("name",): ("name", pseudonyms.name),
            ("tax_id",): ("tax_id", pseudonyms.number),
            ("address", "street"): ("street", pseudonyms.street),
            ("address", "city"): ("city", pseudonyms.city),
            ("address", "zip"): ("zip", pseudonyms.postcode),
            ("contact", "phone"): ("phone", pseudonyms.phone),
            ("contact", "email"): ("email", pseudonyms.email),
            ("contact", "website"): ("website", pseudonyms.website),
        }
        self._fields = {
            (side, *path): (kind, remembered)
            for path, (kind, make) in party.items()
            for remembered in [lru_cache(_REMEMBERED)(make)]
            for side in SIDES
        }

    def learn(self, row: Row) -> None:
        """Note who the row's answer names."""
        self._note(_document(row.completion), self._names, lambda kind: kind not in LOCAL)

    def replace(self, row: Row) -> dict[str, Any]:
        """The row, in the format of prompt and completion (or of messages, if it has several)."""
        document, here = _document(row.completion), Names()
        kept = [document.get(key) for key in ("line_items", *KEPT)]
        amounts = set(re.findall(r"\d+", dump_json(kept)))
        self._note(document, here, lambda kind: kind in LOCAL, amounts)
        self.outcome.rows += 1
        self.outcome.images += len(row.images)
        self.outcome.unstructured += not any(document.get(side) for side in SIDES)
        answer = self._answer(row.completion, here)
        turns = [{"role": turn.role, "content": self._text(turn.text, here)} for turn in row.turns]
        if len(turns) == 1 and turns[0]["content"].strip():
            return {"prompt": turns[0]["content"], "completion": answer}
        return {"messages": [*turns, {"role": "assistant", "content": answer}]}

    def _note(
        self, document: Any, names: Names, wanted: Callable[[str], bool], unlike: set[str] | None = None
    ) -> None:
        for path, (kind, make) in self._fields.items():
            value: Any = document
            for key in path:
                value = value.get(key) if isinstance(value, dict) else None
            if value is None or isinstance(value, dict | list | bool) or not wanted(kind):
                continue
            text = str(value)
            if text in (unlike or ()):
                continue
            if kind not in ("tax_id", "phone") or sum(sign.isalnum() for sign in text) >= _MIN_CODE:
                names.add(kind, text, make(text))
            if kind == "website" and (host := _START_OF_WEBSITE.sub("", text)) != text:
                names.add(kind, host, make(host))

    def _answer(self, answer: str, here: Names) -> str:
        try:
            data = load_json(answer)
        except ValueError:
            return self._text(answer, here)
        return (
            dump_json(self._walk(data, (), here))
            if isinstance(data, dict | list)
            else self._text(answer, here)
        )

    def _walk(self, value: Any, path: tuple[str, ...], here: Names) -> Any:
        if isinstance(value, dict):
            return {
                # The keys of metadata are the user's own words.
                self._text(key, here) if path == _METADATA else key: item
                if not path and key in KEPT
                else self._walk(item, (*path, key), here)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self._walk(item, (*path, ""), here) for item in value]
        if path in self._fields and value is not None and str(value).strip():
            kind, make = self._fields[path]
            self.outcome.replaced[kind] += 1
            return make(str(value))
        if isinstance(value, str) and (path[:1] == _METADATA or not _NUMBER_OR_DATE.fullmatch(value)):
            return self._text(value, here)
        return value

    def _text(self, text: str, here: Names) -> str:
        mentions = [*find_patterns(text, self._pseudonyms), *self._names.find(text), *here.find(text)]
        text, kinds = replace(text, mentions)
        self.outcome.replaced.update(kinds)
        return text


def _document(answer: str) -> dict[str, Any]:
    """The answer as a JSON object; empty when it is none."""
    try:
        data = load_json(answer)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
