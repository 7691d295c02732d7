"""Whether a document adds up, and if not, which number is the wrong one."""

from collections.abc import Iterable, Iterator
from decimal import Decimal, localcontext
from typing import Any

from finscribe_trainer.documents.equations import Equation, build_equations, plain
from finscribe_trainer.documents.paths import field_of
from finscribe_trainer.documents.problems import Problem

_PRECISION = 100
"""Digits: exact for products of numbers as large as documents may hold."""
_MANY_SUSPECTS = 5


def check_arithmetic(data: Any) -> list[Problem]:
    """What does not add up in a document's JSON, as `load_json` gives it.

    A number that is missing or unreadable takes its equations out: the schema speaks of it. One wrong number
    often breaks several equations; it is reported once, by its path, when changing it alone would mend all of
    them and break no other. Where several numbers are equally suspect, the one that is computed from the
    others is named, with the suspects. Costs time linear in the lines.
    """
    with localcontext(prec=_PRECISION):
        equations = build_equations(data)
        broken = [equation for equation in equations if not equation.holds]
        if not broken:
            return []
        mends = dict(_find_mends(broken, equations))
        if not mends:
            return [_one_by_one(equations) for equations in _by_cause(broken)]
        return [_mended(broken, mends)]


def _find_mends(broken: list[Equation], equations: list[Equation]) -> Iterator[tuple[str, Decimal]]:
    """Paths of numbers whose change alone would make everything hold, with the change."""
    containing: dict[str, list[Equation]] = {}
    for equation in equations:
        for path in dict.fromkeys(path for form in equation.forms for path in form.slopes):
            containing.setdefault(path, []).append(equation)
    for path, concerned in containing.items():
        if all(any(path in form.slopes for form in equation.forms) for equation in broken):
            deltas = _solutions(path, broken)
            mend = next((d for d in deltas if all(e.holds_after(path, d) for e in concerned)), None)
            if mend is not None:
                yield path, mend


def _solutions(path: str, broken: Iterable[Equation]) -> Iterator[Decimal]:
    for equation in broken:
        for form in equation.forms:
            slope = form.slopes.get(path)
            if slope:
                yield -form.residual / slope


def _mended(broken: list[Equation], mends: dict[str, Decimal]) -> Problem:
    texts = "; ".join(equation.text for equation in broken)
    if len(mends) == 1:
        ((path, delta),) = mends.items()
        sign = "more" if delta > 0 else "less"
        remedy = f"Correct {path}: {plain(abs(delta))} {sign} would mend it."
        return Problem(broken[0].rule, path, texts, remedy)
    # Of many lines, each may be the wrong one: their field is named once.
    suspects = ", ".join(mends if len(mends) <= _MANY_SUSPECTS else dict.fromkeys(map(field_of, mends)))
    path = next((equation.path for equation in broken if equation.path in mends), broken[0].path)
    return Problem(broken[0].rule, path, texts, f"Compare with the page: one of {suspects} is wrong.")


def _by_cause(broken: list[Equation]) -> list[list[Equation]]:
    """The sums over all lines are one cause: a line that is missing is missing in each."""
    over_lines = [equation for equation in broken if _is_over_lines(equation)]
    return [[equation] for equation in broken if equation not in over_lines] + [over_lines] * bool(over_lines)


def _is_over_lines(equation: Equation) -> bool:
    return equation.rule != "line-total" and any(
        path.startswith("line_items") for path in equation.forms[0].slopes
    )


def _one_by_one(equations: list[Equation]) -> Problem:
    remedy = "Compare with the page: a line or an amount is missing, or several numbers are wrong."
    first = equations[0]
    return Problem(first.rule, first.path, "; ".join(equation.text for equation in equations), remedy)
