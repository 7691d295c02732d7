"""Validation of answers with the canonical schema, a custom one, or none."""

import json
from pathlib import Path

import pytest

from finscribe_core.errors import UserError
from finscribe_trainer.data_tools.validate.schemas import check_canonical, load_schema
from finscribe_trainer.documents.numbers import load_json
from finscribe_trainer.documents.schema import parse_document, to_answer

RECEIPT = (
    '{"document_type": "receipt", "vendor": {"name": "A"}, "issue_date": "2026-02-03", "line_items": '
    '[{"description": "tea", "line_total": "3.00"}], "financial_summary": {"grand_total": "3.00", "currency":'
    ' "EUR"}, "metadata": {"score": NUMBER}}'
)
USERS = {"type": "object", "required": ["total"], "properties": {"total": {"type": "number"}}}


def write(path: Path, schema: object) -> str:
    path.write_text(schema if isinstance(schema, str) else json.dumps(schema))
    return str(path)


def test_the_schema_of_the_repository_is_the_canonical_one():
    schema = Path(__file__).parents[4] / "data/schema.json"
    assert load_schema(str(schema)) == load_schema(None) == (check_canonical, True)


@pytest.mark.parametrize("number", ["0.5", "1204.50", "-3.25", "1e-3"])
def test_metadata_may_contain_decimals_which_stay_numbers(number: str):
    document = load_json(RECEIPT.replace("NUMBER", number))
    assert check_canonical(document) == []
    assert f'"score":{float(number)}' in to_answer(parse_document(document))


def test_metadata_may_not_contain_numbers_without_limit():
    problems = check_canonical(load_json(RECEIPT.replace("NUMBER", "1e999")))
    assert any("more than 30 digits" in problem.message for problem in problems)


def test_with_a_custom_schema_the_arithmetic_is_not_checked(tmp_path: Path):
    check, canonical = load_schema(write(tmp_path / "schema.json", USERS))

    assert check is not None
    assert not canonical
    assert check({"total": 3}) == []
    (problem,) = check({"total": "3"})
    assert (problem.rule, problem.path) == ("schema", "total")


def test_a_deep_answer_is_a_problem_of_the_row(tmp_path: Path):
    check, _ = load_schema(write(tmp_path / "schema.json", {"additionalProperties": {"$ref": "#"}}))
    deep: dict = {}
    for _ in range(900):
        deep = {"a": deep}

    assert check is not None
    assert [problem.message for problem in check(deep)] == ["the answer is nested too deeply"]


@pytest.mark.parametrize("schema", ["{", {"type": "texts"}, "[]"])
def test_an_invalid_schema_is_rejected(tmp_path: Path, schema: object):
    with pytest.raises(UserError, match=r"--schema .*schema\.json"):
        load_schema(write(tmp_path / "schema.json", schema))


def test_a_missing_schema_is_rejected(tmp_path: Path):
    with pytest.raises(UserError, match=r"none\.json"):
        load_schema(str(tmp_path / "none.json"))


def test_remote_references_of_a_schema_are_rejected(tmp_path: Path):
    check, _ = load_schema(write(tmp_path / "schema.json", {"$ref": "http://192.0.2.1/schema.json"}))
    assert check is not None
    with pytest.raises(UserError, match="points outside the file"):
        check({})


def test_fractions_of_a_schema_are_exact(tmp_path: Path):
    path = tmp_path / "schema.json"
    path.write_text('{"properties": {"cents": {"multipleOf": 0.01}, "rate": {"const": 0.1}}}')
    check, _ = load_schema(str(path))
    assert check is not None
    assert check(load_json('{"cents": 12.35, "rate": 0.1}')) == []
    assert [problem.path for problem in check(load_json('{"cents": 12.345}'))] == ["cents"]
