"""Checks a document's arithmetic and, where it fails, finds the number that is most likely wrong."""

from collections.abc import Iterable, Iterator
from decimal import Decimal, localcontext
from typing import Any

from finscribe_trainer.documents.equations import Equation, build_equations, shorten
from finscribe_trainer.documents.paths import field_of
from finscribe_trainer.documents.problems import Problem

_PRECISION = 100
"""Digits of precision: products of the largest numbers allowed in documents are exact."""
_MAX_CANDIDATES = 5


def check_arithmetic(data: Any) -> list[Problem]:
    """The arithmetic errors of a document's JSON value from `load_json`.

    Equations with a missing or invalid number are skipped: the schema check reports those. One wrong number
    often violates several equations; it is reported once, by its path, when changing it alone would satisfy
    all of them and violate no other. Where several numbers could be the wrong one, the error is reported at
    the number that the others determine, with all candidates. Time is linear in the number of lines.
    """
    with localcontext(prec=_PRECISION):
        equations = build_equations(data)
        violated = [equation for equation in equations if not equation.holds]
        if not violated:
            return []
        corrections = dict(_find_corrections(violated, equations))
        if not corrections:
            return [_without_correction(equations) for equations in _group_by_cause(violated)]
        return [_single_correction(violated, corrections)]


def _find_corrections(violated: list[Equation], equations: list[Equation]) -> Iterator[tuple[str, Decimal]]:
    """Paths of numbers whose change alone would satisfy every equation, with the change."""
    containing: dict[str, list[Equation]] = {}
    for equation in equations:
        for path in dict.fromkeys(path for form in equation.forms for path in form.derivatives):
            containing.setdefault(path, []).append(equation)
    for path, concerned in containing.items():
        if all(any(path in form.derivatives for form in equation.forms) for equation in violated):
            deltas = _solutions(path, violated)
            correction = next((d for d in deltas if all(e.holds_after(path, d) for e in concerned)), None)
            if correction is not None:
                yield path, correction


def _solutions(path: str, violated: Iterable[Equation]) -> Iterator[Decimal]:
    for equation in violated:
        for form in equation.forms:
            derivative = form.derivatives.get(path)
            if derivative:
                yield -form.residual / derivative


def _single_correction(violated: list[Equation], corrections: dict[str, Decimal]) -> Problem:
    texts = "; ".join(equation.text for equation in violated)
    if len(corrections) == 1:
        ((path, delta),) = corrections.items()
        change = f"{shorten(abs(delta))} {'more' if delta > 0 else 'less'}"
        remedy = f"Compare {path} with the page: with {change}, all sums are correct."
        return Problem(violated[0].rule, path, texts, remedy)
    # With many candidate lines, the field is named once.
    candidates = ", ".join(
        corrections if len(corrections) <= _MAX_CANDIDATES else dict.fromkeys(map(field_of, corrections))
    )
    path = next((equation.path for equation in violated if equation.path in corrections), violated[0].path)
    return Problem(violated[0].rule, path, texts, f"Compare with the page: one of {candidates} is wrong.")


def _group_by_cause(violated: list[Equation]) -> list[list[Equation]]:
    """Violated equations grouped by probable cause: a missing line violates every sum over lines."""
    over_lines = [equation for equation in violated if _is_over_lines(equation)]
    return [[equation] for equation in violated if equation not in over_lines] + [over_lines] * bool(
        over_lines
    )


def _is_over_lines(equation: Equation) -> bool:
    return equation.rule != "line-total" and any(
        path.startswith("line_items") for path in equation.forms[0].derivatives
    )


def _without_correction(equations: list[Equation]) -> Problem:
    remedy = "Compare with the page: a line or an amount is missing, or several numbers are wrong."
    first = equations[0]
    return Problem(first.rule, first.path, "; ".join(equation.text for equation in equations), remedy)
