"""Prints the progress of `finscribe run`: conditions as they change, steps and losses."""

from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from finscribe_core.api.conditions import Condition, ConditionType
from finscribe_core.api.v1alpha1 import FineTuneJobStatus, Goodput, State

KSTATUS_CONDITIONS = (ConditionType.Reconciling, ConditionType.Stalled)
"""Conditions that repeat what the others say; they are not printed."""
PERCENT_BETWEEN_LINES = 10
"""Percent of the steps between two progress lines without a terminal."""


class View:
    """Prints lines, and in a terminal a progress bar below them."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._conditions: dict[str, tuple[str, str]] = {}
        self._printed_phases: set[str] = set()
        self._last_progress: tuple[int, str | None] = (0, None)
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

    def print_line(self, message: str) -> None:
        """Print a line with the time."""
        time = datetime.now().astimezone().strftime("%H:%M:%S")
        self.console.print(f"[dim]{time}[/dim] {message}", highlight=False, soft_wrap=True)

    def update(self, status: FineTuneJobStatus) -> None:
        """Print what changed since the last status."""
        for condition in status.conditions:
            self._show_condition(condition)
        if status.progress.total_steps and status.summary.state == State.Running:
            self._show_progress(status)

    def _show_condition(self, condition: Condition) -> None:
        before = self._conditions.get(condition.type)
        now = (condition.status, condition.reason)
        self._conditions[condition.type] = now
        if condition.type in KSTATUS_CONDITIONS or now == before:
            return
        if before is None and condition.status == "False":
            return
        if condition.type == ConditionType.Running and self._was_printed(condition):
            return
        colour = _colour(condition)
        name = f"[{colour}]{condition.type}={condition.status}[/{colour}]"
        self.print_line(f"{name} {condition.reason}  {_escaped(condition.message)}".rstrip())

    def _was_printed(self, running: Condition) -> bool:
        """Whether this attempt printed the phase before: training and evaluation alternate many times."""
        if running.status != "True":
            self._printed_phases.clear()
            return False
        known = running.reason in self._printed_phases
        self._printed_phases.add(running.reason)
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
        last_percent, last_eval_loss = self._last_progress
        if progress.percent >= last_percent + PERCENT_BETWEEN_LINES or metrics.eval_loss != last_eval_loss:
            self._last_progress = (progress.percent, metrics.eval_loss)
            self.print_line(text)


def describe_progress(status: FineTuneJobStatus) -> str:
    """Step, losses, speed and remaining time in one line."""
    progress, metrics = status.progress, status.metrics
    parts = [f"step {progress.step}/{progress.total_steps}"]
    if metrics.train_loss is not None:
        parts.append(f"loss {metrics.train_loss}")
    if metrics.eval_loss is not None:
        parts.append(f"eval loss {metrics.eval_loss}")
    if progress.samples_per_second is not None:
        parts.append(f"{progress.samples_per_second} samples/s")
    if progress.eta_seconds is not None:
        parts.append(f"{status.summary.eta} left")
    return ", ".join(parts)


def describe_costs(status: FineTuneJobStatus) -> str:
    """How long each phase of the last attempt took, and what the attempts have cost; empty if not known."""
    seconds = status.progress.phase_seconds
    if seconds is None:
        return ""
    named = seconds.model_dump(exclude_none=True).items()
    phases = ", ".join(f"{name} {_duration(value)}" for name, value in named if value)
    goodput = status.run.goodput if status.run else Goodput()
    text = f"Time: {phases}."
    if status.run is not None and goodput.ratio is not None:
        attempts = f"{status.run.attempts} attempt{'' if status.run.attempts == 1 else 's'}"
        text += f" Goodput {float(goodput.ratio):.0%} of {_duration(goodput.pod_seconds)}, in {attempts}."
    return text


def _duration(seconds: int) -> str:
    """A duration in its two largest units.

    >>> [_duration(s) for s in (20, 1810, 7500)]
    ['20s', '30m10s', '2h5m']
    """
    minutes, hours = seconds // 60, seconds // 3600
    if hours:
        return f"{hours}h{minutes % 60}m"
    return f"{minutes}m{seconds % 60}s" if minutes else f"{seconds}s"


def _colour(condition: Condition) -> str:
    if condition.status != "True":
        return "yellow"
    return "red" if condition.type == ConditionType.Failed else "green"


def _escaped(text: str) -> str:
    """The text with rich's markup escaped: a message may contain brackets."""
    return text.replace("[", r"\[")
