"""Scores of answers by reference implementations: Donut's evaluator and the ANLS* package."""

import ast
import warnings
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from anls_star import anls_score


def donut_f1(gold: Any, predicted: Any) -> float:
    """Donut's F1 of one document."""
    return float(_donut_evaluator().cal_f1([predicted], [gold]))


def donut_nted(gold: Any, predicted: Any) -> float:
    """Donut's accuracy by tree edit distance."""
    return float(_donut_evaluator().cal_acc(predicted, gold))


def official_anls(gold: Any, predicted: Any) -> float:
    """ANLS* by its authors."""
    with warnings.catch_warnings(action="ignore"):
        return float(anls_score(gold, predicted, return_gt=False, return_key_scores=False))


@cache
def _donut_evaluator() -> Any:
    """An instance of `donut.util.JSONParseEvaluator` of the package donut-python.

    Importing `donut` needs PyTorch Lightning, timm and an old transformers, which the evaluator does not use.
    So only its class is executed, with those imports of its module that it uses.
    """
    path = Path(str(distribution("donut-python").locate_file("donut/util.py")))
    statements = ast.parse(path.read_text(encoding="utf-8")).body
    [evaluator] = [
        node for node in statements if isinstance(node, ast.ClassDef) and node.name == "JSONParseEvaluator"
    ]
    used = {node.id for node in ast.walk(evaluator) if isinstance(node, ast.Name)}
    imports = [
        node
        for node in statements
        if isinstance(node, ast.Import | ast.ImportFrom)
        and any((alias.asname or alias.name) in used for alias in node.names)
    ]
    namespace: dict[str, Any] = {}
    exec(compile(ast.Module([*imports, evaluator], []), str(path), "exec"), namespace)
    return namespace["JSONParseEvaluator"]()
