"""A comparison as Markdown: tables that read well as plain text, too."""

import re
from collections.abc import Iterable, Iterator, Sequence

from finscribe_trainer.evaluation.compare import Comparison, Pair, Reading
from finscribe_trainer.evaluation.report.headline import headline, notes
from finscribe_trainer.evaluation.report.labels import EXTRA, GATES, LABELS, p_value, percent, points, words
from finscribe_trainer.evaluation.report.provenance import provenance
from finscribe_trainer.evaluation.report.side_by_side import side_by_side
from finscribe_trainer.metrics.corpus import Figure

TITLE = "Tuned model against base model"
SHOWN_FIELDS = 200
SHOWN_DOCUMENTS = 5
_SHOWN_LEAVES = 10
_SHOWN_CHARACTERS = 60


def markdown(comparison: Comparison) -> str:
    """The report, as CommonMark with tables; texts of documents and models are escaped."""
    return "\n\n".join(_sections(comparison)) + "\n"


def _sections(comparison: Comparison) -> Iterator[str]:
    yield f"# {TITLE}"
    yield f"**{escape(headline(comparison))}**"
    yield from (f"> {escape(note)}" for note in notes(comparison))
    yield (
        f"Field by field, the tuned model reads {comparison.better} documents better than the base model, "
        f"{comparison.equal} as well, and {comparison.worse} worse."
    )
    yield "## Figures"
    yield _metrics(comparison)
    yield (
        "Brackets hold 95 % intervals (bootstrap over documents). Differences are in percentage points, "
        "paired by document; p is of a sign-flip test of each figure by itself."
    )
    if comparison.gates:
        yield "## Validation, gate by gate"
        yield _gates(comparison)
        yield "The ceiling is what the right answers themselves reach: no model can be asked for more."
    if comparison.regions:
        yield "## Regions of the page, greatest loss first"
        yield _pairs("Region", [(words(pair.name), pair) for pair in comparison.regions])
    if comparison.fields:
        yield "## Fields, greatest loss first"
        yield _pairs("Field", [(pair.name, pair) for pair in comparison.fields[:SHOWN_FIELDS]])
        if len(comparison.fields) > SHOWN_FIELDS:
            yield f"{len(comparison.fields) - SHOWN_FIELDS} more fields are in the results files."
    yield from _documents("Greatest losses", comparison.regressions(SHOWN_DOCUMENTS))
    yield from _documents("Greatest gains", comparison.gains(SHOWN_DOCUMENTS))
    yield "## How it was measured"
    yield _measured(comparison)


def escape(text: str) -> str:
    """Text as Markdown that shows it as it is: neither markup, nor HTML, nor the end of a table's cell."""
    one_line = " ".join(text.split())
    escaped = re.sub(r"([\\`*_\[\]|~$#!])", r"\\\1", one_line)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], align: str = "---:") -> str:
    line = ["---", *(align for _ in head[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, line, *rows))


def _figure(figure: Figure) -> str:
    return f"{percent(figure.value)} [{percent(figure.low)}, {percent(figure.high)}]"


def _metrics(comparison: Comparison) -> str:
    rows: list[tuple[str, ...]] = []
    for pair in comparison.metrics:
        by = pair.difference
        difference = f"{points(by.value)} [{points(by.low)}, {points(by.high)}]"
        cells = (_figure(pair.base), _figure(pair.tuned), difference, escape(p_value(by.p_value)))
        rows.append((escape(LABELS[pair.name]), *cells, pair.documents))
    for extra in comparison.extra:
        cells = (_figure(extra.base), _figure(extra.tuned), points(extra.change), "")
        rows.append((EXTRA[extra.name], *cells, extra.documents))
    return _table(("Figure", "Base", "Tuned", "Difference", "Chance", "Documents"), rows)


def _gates(comparison: Comparison) -> str:
    return _table(
        ("The answer …", "Base", "Tuned", "Ceiling"),
        (
            (
                GATES[gate.name],
                _figure(gate.base),
                _figure(gate.tuned),
                percent(gate.ceiling.value) if gate.ceiling else "",
            )
            for gate in comparison.gates
        ),
    )


def _pairs(what: str, named: Iterable[tuple[str, Pair]]) -> str:
    return _table(
        (what, "Base", "Tuned", "Difference", "Documents"),
        (
            (
                escape(name),
                _figure(pair.base),
                _figure(pair.tuned),
                points(pair.change),
                pair.documents,
            )
            for name, pair in named
        ),
    )


def _documents(title: str, readings: Sequence[Reading]) -> Iterator[str]:
    if not readings:
        return
    yield f"## {title}"
    for reading in readings:
        yield f"### {escape(reading.base.where)}: {points(reading.change)}"
        wrong = [leaf for leaf in side_by_side(reading).leaves if leaf.differs]
        yield _table(
            ("Field", "Right answer", "Base", "Tuned"),
            (
                (
                    escape(_cut(leaf.path)),
                    escape(_cut(leaf.gold)),
                    _read(leaf.base, leaf.base_right),
                    _read(leaf.tuned, leaf.tuned_right),
                )
                for leaf in wrong[:_SHOWN_LEAVES]
            ),
            align="---",
        )
        if len(wrong) > _SHOWN_LEAVES:
            yield f"{len(wrong) - _SHOWN_LEAVES} more fields differ."


def _read(value: str | None, right: bool) -> str:
    return "right" if right else escape(_cut(value)) or "(missing)"


def _cut(text: str | None) -> str:
    text = text or ""
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _measured(comparison: Comparison) -> str:
    rows = provenance(comparison.base, comparison.tuned)
    return _table(("", "Base", "Tuned"), ([escape(cell) for cell in row] for row in rows), align="---")
