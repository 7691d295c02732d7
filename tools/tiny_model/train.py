"""Pretrains the model stage by stage; a run that was stopped goes on with the same bits."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from random import Random

import torch

from tools.tiny_model import checkpoint
from tools.tiny_model.batches import Batches
from tools.tiny_model.checkpoint import Progress
from tools.tiny_model.curve import write_curve
from tools.tiny_model.losses import Losses
from tools.tiny_model.measure import error_rates
from tools.tiny_model.model import build_model
from tools.tiny_model.optimizers import Optimizers
from tools.tiny_model.stages import STAGES, Part, Stage, rate_factor
from tools.tiny_model.tokenizer import build_tokenizer

ROW_EVERY = 25
"""Steps between two rows of the curve."""
MEASURE_EVERY = 500
"""Steps between two measurements of the held-out error rate."""
SAVE_EVERY_SECONDS = 120
TEST_PAGES = 16


class Training:
    """A pretraining in a folder, continued from the folder's checkpoint if there is one.

    Attributes:
        progress: What has been trained.
        losses: Model and classifier.
        batches: Makes the batches.
        stages: The course of the training.
    """

    def __init__(
        self,
        folder: Path,
        seed: int,
        stages: tuple[Stage, ...] = STAGES,
        dtype: torch.dtype = torch.bfloat16,
    ) -> None:
        torch.set_flush_denormal(True)  # else attention probabilities near zero are slow on Intel's CPUs
        tokenizer = build_tokenizer()
        self._dtype = dtype
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.losses = Losses(build_model(tokenizer, seed), seed).to(self.device)
        self.batches = Batches(tokenizer)
        self._optimizers = Optimizers(self.losses)
        self.stages, self._folder = stages, folder
        folder.mkdir(parents=True, exist_ok=True)
        saved = checkpoint.load(folder, self.losses, self._optimizers, self.device)
        self.progress = saved or Progress(seed=seed, threads=torch.get_num_threads())

    @property
    def finished(self) -> bool:
        """Whether all stages are complete."""
        return self.progress.stage == len(self.stages)

    @property
    def steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    @property
    def stage_name(self) -> str:
        """The name of the current stage; "complete" after the last."""
        return "complete" if self.finished else self.stages[self.progress.stage].name

    def run(self, stop: Callable[[], bool], after_step: Callable[["Training"], None] | None = None) -> None:
        """Train until `stop` or the end of the last stage, then save."""
        saved = time.monotonic()
        while not self.finished and not stop():
            self._step()
            if after_step:
                after_step(self)
            if time.monotonic() - saved > SAVE_EVERY_SECONDS:
                self.save()
                saved = time.monotonic()
        self.save()

    def save(self) -> None:
        """Write checkpoint and curve."""
        checkpoint.save(self._folder, self.losses, self._optimizers, self.progress)
        write_curve(self._folder, self.progress)

    def _step(self) -> None:
        progress, started = self.progress, time.monotonic()
        stage = self.stages[progress.stage]
        seed = f"{progress.seed}/{stage.name}/{progress.step}"
        part = _pick(stage, seed)
        batch = self.batches.make(part.size, part.pages, seed, lookups=part.lookups).to(self.device)
        with self._autocast():
            loss, parts = self.losses(batch)
        loss.backward()
        self._optimizers.step(rate_factor(stage, progress.step, progress.total))
        progress.step += 1
        progress.total += 1
        progress.pages += part.pages
        for name, value in parts.items():
            progress.recent[name] = progress.recent.get(name, 0.0) + value.item()
        progress.seconds += time.monotonic() - started
        if progress.total % ROW_EVERY == 0:
            self._add_row(stage)
        if progress.step == stage.steps or progress.total % MEASURE_EVERY == 0:
            self._measure(stage)
        if progress.step == stage.steps:
            progress.stage, progress.step = progress.stage + 1, 0

    def _autocast(self) -> torch.autocast:
        """Products in the training's dtype; weights and sums stay in float32."""
        return torch.autocast(self.device.type, self._dtype, enabled=self._dtype != torch.float32)

    def _place(self, stage: Stage) -> dict[str, object]:
        progress = self.progress
        return {
            "stage": stage.name,
            "steps": progress.total,
            "pages": progress.pages,
            "minutes": round(progress.seconds / 60, 2),
        }

    def _add_row(self, stage: Stage) -> None:
        means = {name: round(value / ROW_EVERY, 5) for name, value in self.progress.recent.items()}
        self.progress.curve.append(self._place(stage) | means)
        self.progress.recent = {}

    def _measure(self, stage: Stage) -> None:
        for part in stage.parts:
            with self._autocast():
                rates = error_rates(self.losses.model, self.batches, part.size, TEST_PAGES)
            rounded = {name: round(value, 4) for name, value in asdict(rates).items()}
            self.progress.errors.append(self._place(stage) | {"size": str(part.size)} | rounded)


def _pick(stage: Stage, seed: str) -> Part:
    """The part of a stage that a step trains."""
    rng = Random(f"part/{seed}")  # noqa: S311 - not cryptography
    return rng.choices(stage.parts, [part.share for part in stage.parts])[0]
