"""Random pairs of tables: ground truth, and prediction with errors."""

from collections.abc import Iterator
from random import Random

from finscribe_trainer.metrics.tables import Cell, Row, Section, Table

WORDS = ("", "7", "12.50", "1,204.50", "Coffee", "Paper A4", "Transport & Logistik", "Größe <M>", "合計")


def random_table(random: Random, *, rows: int, columns: int) -> Table:
    """A table of at most `rows` x `columns`, with spans, empty rows, markup and any sections."""
    body = [random_row(random, columns) for _ in range(random.randint(1, rows))]
    head = random.randint(0, min(2, len(body)))
    tags = random.choice(((None, None), ("thead", "tbody"), (None, "tbody"), ("tbody", "tfoot")))
    parts = (Section(tags[0], tuple(body[:head])), Section(tags[1], tuple(body[head:])))
    return joined(parts)


def joined(sections: tuple[Section, ...]) -> Table:
    """A table of the non-empty sections; adjacent rows without a section tag form one section, as in HTML."""
    kept: list[Section] = []
    for section in sections:
        if kept and kept[-1].tag is section.tag is None:
            kept[-1] = Section(None, kept[-1].rows + section.rows)
        elif section.rows:
            kept.append(section)
    return Table(tuple(kept))


def random_row(random: Random, columns: int) -> Row:
    """`columns` - 2 to `columns` cells, at least one; rarely an empty row."""
    count = 0 if random.random() < 0.03 else random.randint(max(1, columns - 2), columns)
    return tuple(random_cell(random) for _ in range(count))


def random_cell(random: Random) -> Cell:
    """A cell; some with spans, some with markup."""
    text = random.choice(WORDS)
    content = ("<b>", *text, "</b>") if random.random() < 0.1 else text
    return Cell(content, *(random.choice((1, 1, 1, 1, 1, 1, 2, 3)) for _ in range(2)))


def misread(random: Random, table: Table, *, errors: int) -> Table:
    """The table with `errors` random errors: rows and cells lost, added or changed, sections renamed."""
    sections = [(section.tag, [list(row) for row in section.rows]) for section in table.sections]
    for _ in range(errors):
        rows = random.choice(sections)[1]
        match random.randrange(6):
            case 0 if len(rows) > 1:
                rows.pop(random.randrange(len(rows)))
            case 1:
                rows.insert(random.randint(0, len(rows)), list(random_row(random, 4)))
            case 2 if rows:
                row = random.choice(rows)
                row.insert(random.randint(0, len(row)), random_cell(random))
            case 3 if rows and (row := random.choice(rows)):
                row.pop(random.randrange(len(row)))
            case 4 if rows and (row := random.choice(rows)):
                row[random.randrange(len(row))] = random_cell(random)
            case 5 if random.random() < 0.3:
                index = random.randrange(len(sections))
                sections[index] = (random.choice((None, "thead", "tbody")), rows)
    return joined(tuple(Section(tag, tuple(map(tuple, rows))) for tag, rows in sections))


def random_pairs(random: Random) -> Iterator[tuple[Table, Table]]:
    """Endless pairs of a table and the same with errors; every third is of two unrelated tables."""
    made = 0
    while True:
        gold = random_table(random, rows=8, columns=5)
        predicted = (
            misread(random, gold, errors=random.randint(0, 6))
            if made % 3
            else random_table(random, rows=8, columns=5)
        )
        if predicted.nodes:  # docling-metrics-table raises an error for two empty tables
            yield gold, predicted
            made += 1
