"""What `finscribe run` shows while a run goes on: conditions as they change, and how far it is."""

from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from finscribe_core.api.conditions import Condition, ConditionType
from finscribe_core.api.v1alpha1 import FineTuneJobStatus, State

FOR_MACHINES = (ConditionType.Reconciling, ConditionType.Stalled)
"""Conditions that say again what the others say."""
PLAIN_EVERY = 10
"""Percent of the steps between two lines where there is no terminal."""


class View:
    """Prints to a terminal with a live line at the bottom, and elsewhere plain lines."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._conditions: dict[str, tuple[str, str]] = {}
        self._phases: set[str] = set()
        self._plain: tuple[int, str | None] = (0, None)
        self._task: TaskID | None = None
        self._bar = Progress(
            TextColumn("[cyan]{task.fields[phase]}"),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, message: str) -> None:
        """One line with the time."""
        time = datetime.now().astimezone().strftime("%H:%M:%S")
        self.console.print(f"[dim]{time}[/dim] {message}", highlight=False, soft_wrap=True)

    def show(self, status: FineTuneJobStatus) -> None:
        """Print what changed since the last status."""
        for condition in status.conditions:
            self._show_condition(condition)
        if status.progress.total_steps and status.summary.state == State.Running:
            self._show_progress(status)

    def _show_condition(self, condition: Condition) -> None:
        before = self._conditions.get(condition.type)
        now = (condition.status, condition.reason)
        self._conditions[condition.type] = now
        if (
            condition.type in FOR_MACHINES
            or now == before
            or (before is None and condition.status == "False")
        ):
            return
        colour = _colour(condition)
        name = f"[{colour}]{condition.type}={condition.status}[/{colour}]"
        self.say(f"{name} {condition.reason}  {_escaped(condition.message)}".rstrip())

    def _is_old_news(self, condition: Condition) -> bool:
        """Training and evaluation take turns; that is said once an attempt."""
        if condition.type != ConditionType.Running:
            return False
        if condition.status != "True":
            self._phases.clear()
        known = condition.reason in self._phases
        self._phases.add(condition.reason)
        return known

    def _show_progress(self, status: FineTuneJobStatus) -> None:
        progress, metrics = status.progress, status.metrics
        text = describe_progress(status)
        if self.console.is_terminal:
            if self._task is None:
                self._task = self._bar.add_task(text, total=progress.total_steps, phase=progress.phase)
            self._bar.update(
                self._task,
                description=text,
                phase=str(progress.phase),
                completed=progress.step,
                total=progress.total_steps,
            )
            return
        last_percent, last_eval_loss = self._plain
        if progress.percent >= last_percent + PLAIN_EVERY or metrics.eval_loss != last_eval_loss:
            self._plain = (progress.percent, metrics.eval_loss)
            self.say(text)


def describe_progress(status: FineTuneJobStatus) -> str:
    """How far the run is, in one line."""
    progress, metrics = status.progress, status.metrics
    parts = [f"step {progress.step}/{progress.total_steps}"]
    if metrics.train_loss is not None:
        parts.append(f"loss {metrics.train_loss}")
    if metrics.eval_loss is not None:
        parts.append(f"eval loss {metrics.eval_loss}")
    if progress.eta_seconds is not None:
        parts.append(f"{status.summary.eta} left")
    return ", ".join(parts)


def _colour(condition: Condition) -> str:
    if condition.status != "True":
        return "yellow"
    return "red" if condition.type == ConditionType.Failed else "green"


def _escaped(text: str) -> str:
    """Without markup: a message may hold brackets."""
    return text.replace("[", r"\[")
