"""Each kind of error in an otherwise valid data set gives exactly one finding."""

import json
import random
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from finscribe_trainer.data_tools.synthetic.content import make_document
from finscribe_trainer.data_tools.synthetic.locales import LOCALES
from finscribe_trainer.data_tools.validate.rules import RULES, Severity
from finscribe_trainer.documents.numbers import dump_json, load_json, read_decimal
from finscribe_trainer.documents.paths import field_of, leaves
from finscribe_trainer.documents.schema import DOCUMENT_TYPES, to_answer
from tests.unit.data_tools.validate.conftest import Validate

NUMBERS = r"(line_items\[\d+\]\.(quantity|unit_price|discount|line_total)|financial_summary\.(?!currency)\w+)"
ANSWER = json.dumps(
    {
        "document_type": "receipt",
        "vendor": {"name": "Acme Ltd"},
        "issue_date": "2026-02-03",
        "due_date": "2026-03-03",
        "line_items": [{"description": "tea", "quantity": 2, "unit_price": "1.50", "line_total": "3.00"}],
        "financial_summary": {"grand_total": "3.00", "currency": "EUR"},
    }
)


def row(number: int = 0, answer: str = ANSWER, text: str = "", **more: Any) -> dict[str, Any]:
    return {"prompt": f"Read receipt {number}. {text}", "completion": answer, **more}


def spoilt(**changes: Any) -> str:
    return json.dumps({**json.loads(ANSWER), **changes})


def answers(count: int) -> list[str]:
    rng = random.Random(7)
    locales = list(LOCALES.values())
    return [
        to_answer(make_document(rng.choice(DOCUMENT_TYPES), rng.choice(locales), rng).document)
        for _ in range(count)
    ]


def set_at(data: Any, path: str, value: Any) -> None:
    *keys, last = (int(key) if key.isdigit() else key for key in re.findall(r"[^.\[\]]+", path))
    for key in keys:
        data = data[key]
    data[last] = value


def test_synthetic_documents_are_valid(validate: Validate):
    report = validate(row(number, answer) for number, answer in enumerate(answers(50)))

    assert report.count(Severity.error) == report.count(Severity.warning) == 0
    assert (report.statistics.rows, report.pass_rate) == (50, 1.0)


def test_a_single_wrong_number_gives_one_finding(validate: Validate):
    rng = random.Random(3)
    rows, spoilt_paths = [], []
    for number, answer in enumerate(answers(200)):
        data = load_json(answer)
        path, value = rng.choice([leaf for leaf in leaves(data) if re.fullmatch(NUMBERS, leaf[0])])
        set_at(data, path, str(read_decimal(value) + rng.choice([Decimal("0.5"), 1, 10])))
        rows.append(row(number, dump_json(data)))
        spoilt_paths.append(path)

    findings = [finding for finding in validate(rows).findings if finding.severity is Severity.error]

    assert [finding.where for finding in findings] == [f"train.jsonl:{i}" for i in range(1, 201)]
    for finding, path in zip(findings, spoilt_paths, strict=True):
        named = finding.path + finding.remedy
        assert path in named or field_of(path) in named  # of many suspect lines the field is named


@pytest.mark.parametrize(
    ("rule", "path", "answer"),
    [
        ("empty-answer", "", "  "),
        ("answer-json", "", ANSWER[:-1]),
        ("answer-json", "", f"```json\n{ANSWER}\n```"),
        ("answer-json", "", ANSWER.replace('"3.00"', "NaN")),
        ("schema", "", "[]"),
        ("schema", "document_type", spoilt(document_type="letter")),
        ("schema", "vendor", spoilt(vendor=None)),
        ("schema", "vat", spoilt(vat=1)),
        ("schema", "issue_date", spoilt(issue_date="2026-02-30")),
        ("schema", "issue_date", spoilt(issue_date="3 Feb 2026")),
        ("schema", "due_date", spoilt(due_date="0000-00-00")),
        ("schema", "financial_summary.currency", ANSWER.replace("EUR", "euro")),
        ("schema", "line_items[0].unit_price", ANSWER.replace("1.50", "1,50")),
        ("line-total", "line_items[0].line_total", ANSWER.replace("1.50", "1.60")),
        ("due-before-issue", "due_date", spoilt(due_date="2026-02-02")),
    ],
)
def test_an_invalid_answer_gives_one_finding(validate: Validate, rule: str, path: str, answer: str):
    (finding,) = validate([row(1), row(2, answer), row(3)]).findings

    assert (finding.rule, finding.path) == (rule, path)
    assert finding.where == "train.jsonl:2"
    assert finding.remedy


@pytest.mark.parametrize(
    ("rule", "line"),
    [("json", b'{"prompt"\n'), ("encoding", b'"\xff"\n'), ("row-format", b"{}\n"), ("row-format", b"3\n")],
)
def test_an_invalid_row_gives_one_finding(validate: Validate, rule: str, line: bytes):
    (finding,) = validate([row(1), line, row(2)]).findings

    assert (finding.rule, finding.where) == (rule, "train.jsonl:2")


def test_a_repeated_row_is_a_duplicate_or_with_another_answer_a_conflict(validate: Validate):
    other = spoilt(due_date="2026-03-04")
    report = validate([row(1), row(2), row(1), row(2, other), row(3, other)])

    assert [(finding.rule, finding.where) for finding in report.findings] == [
        ("duplicate", "train.jsonl:3"),
        ("conflict", "train.jsonl:4"),
    ]
    assert "train.jsonl:1" in report.findings[0].message


def test_a_row_of_the_validation_set_is_leakage(validate: Validate, tmp_path: Path):
    for name, colour in (("a.png", "red"), ("copy-of-a.png", "red"), ("b.png", "blue")):
        Image.new("RGB", (20, 20), colour).save(tmp_path / name)
    against = [row(1), row(2, images=["a.png"]), row(5, spoilt(issue_date="2026-02-05"))]
    rows = [
        row(1, spoilt(issue_date="2026-02-01")),
        row(3, spoilt(issue_date="2026-02-02")),
        row(4, spoilt(issue_date="2026-02-04"), images=["copy-of-a.png"]),
        row(2, spoilt(issue_date="2026-02-06"), images=["b.png"]),
        row(6, spoilt(issue_date="2026-02-05"), images=["b.png"]),
    ]

    report = validate(rows, against)

    assert [(finding.rule, finding.where, finding.message) for finding in report.findings] == [
        ("leakage", "train.jsonl:1", "the same prompt as val.jsonl:1"),
        ("leakage", "train.jsonl:3", "the same page as val.jsonl:2"),
        ("leakage", "train.jsonl:5", "the same answer as val.jsonl:3"),
    ]


def test_invalid_images_are_reported(validate: Validate, tmp_path: Path):
    Image.new("RGB", (20, 20)).save(tmp_path / "good.png")
    Image.new("RGB", (200, 200)).save(tmp_path / "huge.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:-20])
    names = ["good.png", "huge.png", "cut.png", "none.png", "../out.png"]

    report = validate(row(number, images=[name]) for number, name in enumerate(names))

    assert [finding.rule for finding in report.findings] == ["image"] * 4
    for finding, name in zip(report.findings, names[1:], strict=True):
        assert name in finding.message


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("pii-iban", "DE89 3704 0044 0532 0130 00"),
        ("pii-card", "4111 1111 1111 1111"),
        ("pii-ssn", "123-45-6789"),
        ("pii-email", "jane.doe@gmail.com"),
    ],
)
def test_personal_data_gives_a_hint_without_the_data(validate: Validate, rule: str, text: str):
    (finding,) = validate([row(1, text=text)]).findings

    assert (finding.rule, finding.severity) == (rule, Severity.hint)
    assert text not in str(finding)


@pytest.mark.parametrize(
    "text", ["DE88 3704 0044 0532 0130 00", "4111 1111 1111 1112", "000-45-6789", "info@acme.example"]
)
def test_similar_texts_are_not_personal_data(validate: Validate, text: str):
    assert validate([row(1, text=text)]).findings == []


def test_free_texts_need_not_be_json(validate: Validate):
    assert validate([row(1, "A total of 3.00 euros.")], schema="none").findings == []


def test_all_findings_are_counted_and_the_first_are_kept(validate: Validate):
    report = validate((row(number, "no JSON") for number in range(30)), max_findings=10)

    assert len(report.findings) == 10
    assert report.by_rule["answer-json"] == report.statistics.rows_with_errors == 30


def test_every_rule_has_a_meaning_and_a_remedy():
    assert all(rule.meaning.endswith(".") and rule.remedy.endswith(".") for rule in RULES.values())
