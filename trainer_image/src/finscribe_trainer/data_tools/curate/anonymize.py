"""Replaces the parties named in rows by pseudonyms, in prompts and answers; keeps amounts and dates."""

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
from finscribe_trainer.data_tools.curate.name_matching import KnownNames, replace
from finscribe_trainer.data_tools.curate.output_files import create_files
from finscribe_trainer.data_tools.curate.patterns import find_patterns
from finscribe_trainer.data_tools.curate.pseudonyms import Pseudonyms
from finscribe_trainer.documents.numbers import dump_json, load_json
from finscribe_trainer.runtime.progress import progress

PARTIES = ("vendor", "client")
KEPT = ("document_type", "invoice_number", "po_number", "issue_date", "due_date", "financial_summary")
"""Fields of a document that are kept, besides all numbers and dates."""
ROW_LOCAL_KINDS = ("city", "zip")
"""Kinds that are searched only in their own row: elsewhere they may be ordinary words or numbers."""
_METADATA = ("metadata",)
_START_OF_WEBSITE = re.compile(r"^(?:\w+://)?(?:www\.)?", re.IGNORECASE)
_MIN_CODE = 6
"""Shortest tax or phone number that is searched in texts; shorter ones would match unrelated numbers."""
_CACHE_SIZE = 1 << 16
"""Cached pseudonyms of each kind: Faker takes 50 us for one, and most vendors occur repeatedly."""
_NUMBER_OR_DATE = re.compile(r"-?\d+(?:\.\d+)?|\d{4}-\d\d-\d\d")


@dataclass
class Outcome:
    """Counts of what was done; contains no original value."""

    rows: int = 0
    replaced: Counter[str] = field(default_factory=Counter)
    """Number of replacements by kind."""
    unstructured: int = 0
    """Rows whose answer has no vendor or client: only patterns and names from other rows were searched."""
    images: int = 0
    """Dropped images."""


def anonymize_rows(
    source: Path, output: Path, key: bytes, *, drop_images: bool, overwrite: bool = False
) -> Outcome:
    """Write each row's prompt and answer with pseudonyms; other keys of a row are dropped.

    Two passes: names are collected from all answers, then replaced in all texts. Memory holds each name once.

    Raises:
        UserError: DatasetInvalid naming rows that are invalid, or that have images without `drop_images`;
            InvalidConfig when `output` exists.
    """
    file = DataFile(source, str(source))
    anonymizer = Anonymizer(Pseudonyms(key))
    with create_files(output, overwrite=overwrite) as [rows]:
        problems = RowProblems()
        for where, row in progress(read_rows(file, problems), "Collect names", unit="rows"):
            if row.images and not drop_images:
                problems.add(where, "the row has an image, which would not be anonymized; see --drop-images")
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
    """Collects the names of a data set with `learn`, then replaces them with `replace`."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms
        self._names = KnownNames()
        self.outcome = Outcome()
        party: dict[tuple[str, ...], tuple[str, Callable[[str], str]]] = {
            (): ("name", pseudonyms.name),  # for other schemas, such as "vendor": "Acme"
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
            (party_key, *path): (kind, cached)
            for path, (kind, make) in party.items()
            for cached in [lru_cache(_CACHE_SIZE)(make)]
            for party_key in PARTIES
        }

    def learn(self, row: Row) -> None:
        """Collect the names in the row's answer."""
        self._collect(_document(row.completion), self._names, lambda kind: kind not in ROW_LOCAL_KINDS)

    def replace(self, row: Row) -> dict[str, Any]:
        """The anonymized row in the format prompt and completion, or messages if it has several turns."""
        document, row_names = _document(row.completion), KnownNames()
        kept = [document.get(key) for key in ("line_items", *KEPT)]
        amounts = set(re.findall(r"\d+", dump_json(kept)))
        self._collect(document, row_names, lambda kind: kind in ROW_LOCAL_KINDS, amounts)
        self.outcome.rows += 1
        self.outcome.images += len(row.images)
        self.outcome.unstructured += not any(document.get(party_key) for party_key in PARTIES)
        answer = self._answer(row.completion, row_names)
        turns = [{"role": turn.role, "content": self._text(turn.text, row_names)} for turn in row.turns]
        if len(turns) == 1 and turns[0]["content"].strip():
            return {"prompt": turns[0]["content"], "completion": answer}
        return {"messages": [*turns, {"role": "assistant", "content": answer}]}

    def _collect(
        self,
        document: Any,
        names: KnownNames,
        wanted: Callable[[str], bool],
        excluded: set[str] | None = None,
    ) -> None:
        for path, (kind, make) in self._fields.items():
            value: Any = document
            for key in path:
                value = value.get(key) if isinstance(value, dict) else None
            if value is None or isinstance(value, dict | list | bool) or not wanted(kind):
                continue
            text = str(value)
            if text in (excluded or ()):
                continue
            if kind not in ("tax_id", "phone") or sum(sign.isalnum() for sign in text) >= _MIN_CODE:
                names.add(kind, text, make(text))
            if kind == "website" and (host := _START_OF_WEBSITE.sub("", text)) != text:
                names.add(kind, host, make(host))

    def _answer(self, answer: str, row_names: KnownNames) -> str:
        try:
            data = load_json(answer)
        except ValueError:
            return self._text(answer, row_names)
        return (
            dump_json(self._replace_values(data, (), row_names))
            if isinstance(data, dict | list)
            else self._text(answer, row_names)
        )

    def _replace_values(self, value: Any, path: tuple[str, ...], row_names: KnownNames) -> Any:
        if isinstance(value, dict):
            return {
                # Keys of metadata are chosen by the user and may contain names.
                self._text(key, row_names) if path == _METADATA else key: item
                if not path and key in KEPT
                else self._replace_values(item, (*path, key), row_names)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self._replace_values(item, (*path, ""), row_names) for item in value]
        if path in self._fields and value is not None and str(value).strip():
            kind, make = self._fields[path]
            self.outcome.replaced[kind] += 1
            return make(str(value))
        if isinstance(value, str) and (path[:1] == _METADATA or not _NUMBER_OR_DATE.fullmatch(value)):
            return self._text(value, row_names)
        return value

    def _text(self, text: str, row_names: KnownNames) -> str:
        replacements = [
            *find_patterns(text, self._pseudonyms),
            *self._names.find(text),
            *row_names.find(text),
        ]
        text, kinds = replace(text, replacements)
        self.outcome.replaced.update(kinds)
        return text


def _document(answer: str) -> dict[str, Any]:
    """The answer as a JSON object; empty if it is not one."""
    try:
        data = load_json(answer)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
