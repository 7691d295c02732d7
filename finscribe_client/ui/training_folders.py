"""Reads the folders that `finscribe train` writes, also while a training runs."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from finscribe_client.errors import ClientError, ClientReason
from finscribe_client.ui.run_view import AnswerFiles, Attempt, OtherRun, RunRow, RunView
from finscribe_client.ui.tensorboard_curves import read_curves
from finscribe_core.constants import EVALUATION_PREFIX
from finscribe_core.look.loss_lines import history_points
from finscribe_core.settings import flat_settings

_CONFIG, _METRICS = "config.yaml", "metrics.json"
_ANSWERS = "results-base.json", "results-tuned.json"
_MAX_DEPTH = 4
_MAX_FOLDERS = 500
_LIVE_SECONDS = 300
"""A training without a result that has written nothing for so long has been interrupted."""


class TrainingFolders:
    """The trainings below a folder.

    Args:
        root: the folder; it may be a training itself.
        number: its place among several such folders, for its address.
    """

    def __init__(self, root: Path, number: int) -> None:
        self._root = root.resolve()
        self._written = root
        self.title = f"Folder {root}"
        self.address = f"folder{number}"

    def rows(self) -> Sequence[RunRow]:
        """The trainings, the newest first."""
        return [self._row(name, folder) for name, folder in self._found().items()]

    def view(self, path: str) -> RunView:
        """A training, by its path below the root.

        Raises:
            ClientError: NotFound.
        """
        found = self._found()
        folder = found.get(path)
        if folder is None:  # a path is looked up, never opened as it was sent
            raise ClientError(ClientReason.NotFound, f"There is no training {path} in {self._root}.")
        row, metrics = self._row(path, folder), _read_json(folder / _METRICS)
        siblings = [name for name, other in found.items() if other.parent == folder.parent]
        older = siblings[siblings.index(path) + 1 :]
        return RunView(
            key=row.key,
            name=row.name,
            place=str(self._written / path),
            state=row.state,
            explanation=row.explanation,
            is_live=row.state == "Running",
            percent=row.percent,
            facts=_facts(metrics, row),
            figures=_figures(metrics),
            history=_history(folder, metrics),
            settings=_settings(folder),
            before=self._key(older[0]) if older else None,
            attempts=_checkpoints(folder),
            attempts_title="Checkpoints",
            others=[self._other(name, found[name], name == path) for name in siblings]
            if len(siblings) > 1
            else (),
            answers=_answers(folder),
        )

    def settings(self, path: str) -> Mapping[str, str] | None:
        """The settings of a training; None where they can't be read."""
        folder = self._found().get(path)
        return _settings(folder) if folder else None

    def change(self, path: str, action: str) -> None:
        """A training has no job that could be changed.

        Raises:
            ClientError: WrongState.
        """
        raise ClientError(ClientReason.WrongState, f"{path} has no job: {action} is not possible.")

    def _key(self, name: str) -> str:
        return f"{self.address}/{name}"

    def _found(self) -> dict[str, Path]:
        folders = list(_trainings(self._root, _MAX_DEPTH))[:_MAX_FOLDERS]
        folders.sort(key=lambda folder: -_time_of(folder / _CONFIG))
        return {str(folder.relative_to(self._root)): folder for folder in folders}

    def _row(self, name: str, folder: Path) -> RunRow:
        metrics = _read_json(folder / _METRICS)
        state, percent = ("Complete", 100) if metrics else _unfinished(folder)
        losses = history_points(metrics.get("train_history"), "loss")
        tuned = _part(_part(metrics, "evaluation"), "tuned").get("field_accuracy")
        return RunRow(
            key=self._key(name),
            name=folder.name if name == "." else name,
            state=state,
            percent=percent,
            loss=f"{losses[-1][1]:.4g}" if losses else "",
            accuracy=str(tuned) if tuned is not None else "",
            started=_as_text(_time_of(folder / _CONFIG)),
            explanation=str(metrics.get("under_training") or "") if metrics else "",
        )

    def _other(self, name: str, folder: Path, is_shown: bool) -> OtherRun:
        row = self._row(name, folder)
        return OtherRun(row.key, row.name, row.state, f"loss {row.loss}" if row.loss else "", is_shown)


def _trainings(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    if any(entry.name == _CONFIG and entry.is_file() for entry in entries) and _is_training(folder):
        yield folder  # below it are parts of it, such as the copy that is uploaded
        return
    for entry in entries if depth else ():
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            yield from _trainings(Path(entry.path), depth - 1)


def _is_training(folder: Path) -> bool:
    return (folder / _METRICS).is_file() or (folder / "logs").is_dir() or any(folder.glob("checkpoint-*"))


def _unfinished(folder: Path) -> tuple[str, int | None]:
    newest = max((_time_of(path) for path in (folder, *folder.glob("logs/*"), *folder.glob("*/"))), default=0)
    state = "Running" if datetime.now(UTC).timestamp() - newest < _LIVE_SECONDS else "Interrupted"
    saved = _last_state(folder)
    step, total = saved.get("global_step"), saved.get("max_steps")
    return state, round(100 * step / total) if isinstance(step, int) and total else None


def _history(folder: Path, metrics: Mapping[str, Any]) -> Mapping[str, Any]:
    if metrics:
        return metrics
    curves = read_curves(folder / "logs")
    if curves:
        return curves
    log = _last_state(folder).get("log_history")
    return {"train_history": log, "eval_history": log}


def _facts(metrics: Mapping[str, Any], row: RunRow) -> dict[str, str]:
    dataset = _part(metrics, "dataset")
    known = {
        "Started": row.started,
        "Model": metrics.get("model"),
        "Method": metrics.get("method"),
        "Steps": metrics.get("steps"),
        "Epochs": metrics.get("epoch"),
        "Training rows": dataset.get("train_rows"),
        "Validation rows": dataset.get("validation_rows"),
        "Exported step": metrics.get("best_step"),
        "Stopped early": "yes" if metrics.get("stopped_early") else None,
        "Went on from": metrics.get("resumed_from"),
    }
    return {name: _number(value) for name, value in known.items() if value is not None}


def _figures(metrics: Mapping[str, Any]) -> dict[str, str]:
    names = ("best_eval_loss", "base_eval_loss", "best_step", "steps", "epoch", "step_seconds")
    found = {name: metrics.get(name) for name in names}
    evaluation = _part(metrics, "evaluation")
    found["documents"] = evaluation.get("documents")
    for model in ("base", "tuned"):
        found |= {f"{model}_{name}": value for name, value in _part(evaluation, model).items()}
    return {name: _number(value) for name, value in found.items() if value is not None}


def _settings(folder: Path) -> dict[str, str] | None:
    try:
        content = yaml.safe_load((folder / _CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return flat_settings(content) if isinstance(content, dict) else None


def _checkpoints(folder: Path) -> list[Attempt]:
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: (len(path.name), path.name))
    return [Attempt(path.name, "", _as_text(_time_of(path)), "") for path in found if path.is_dir()]


def _answers(folder: Path) -> Any:
    base, tuned = (folder / EVALUATION_PREFIX / name for name in _ANSWERS)
    if not (base.is_file() and tuned.is_file()):
        return None

    def answers() -> AnswerFiles:
        from finscribe_client.ui.evaluations import local_page  # noqa: PLC0415 - imports numpy

        return AnswerFiles(base, tuned, lambda source, name: local_page(source, name, folder))

    return answers


def _last_state(folder: Path) -> dict[str, Any]:
    """trainer_state.json of the newest checkpoint."""
    found = sorted(folder.glob("checkpoint-*/trainer_state.json"), key=_time_of)
    return _read_json(found[-1]) if found else {}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _time_of(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _part(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object in a file; empty without it."""
    found = content.get(name)
    return found if isinstance(found, dict) else {}


def _as_text(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
