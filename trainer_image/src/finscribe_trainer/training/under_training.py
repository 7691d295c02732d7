"""Judges by a run's own figures whether it was trained too little, or at too low a learning rate. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finscribe_core.trainer_config import AUTO, TrainerConfig
from finscribe_trainer.training.callbacks import BASE_LOSS

_STILL_FALLING = 0.1
"""Share of the whole fall that the last quarter brings in a training that ends too early."""
_STANDARD_ERRORS = 3.0
"""The loss falls by more than noise if its slope is this many standard errors below 0."""
_FEWEST_LOSSES = 3
"""Losses that a slope is computed from, at least."""
_OVERFITTED = 1.05
"""A last validation loss of this many times the lowest one says that the training was too long."""
_USUAL_RATES = (1e-4, 5e-4)
"""Learning rates of published recipes for LoRA on PaddleOCR-VL and models like it."""
_LINEAR_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def find_under_training(config: TrainerConfig, metrics: Mapping[str, Any]) -> str | None:
    """Why a run counts as under-trained, and what to do about it; None if its figures do not say so.

    Either of two signs suffices.

    *The loss was still falling at the end.* Let t be the learning rate summed up over the steps, as a share
    of its whole sum: at the end of a cosine schedule the loss is flat only because the rate is 0. A straight
    line is fitted to log(loss) for t >= 1/2, with slope s. The sign is s < -3 standard errors of s, and
    -s / 4 >= 0.1 * (log(first loss) - log(last loss)): the last quarter brought a tenth of the whole fall or
    more. Of an exponential approach that is the case up to t = 2 time constants. The losses are those of the
    validation rows, the first one the base model's; if fewer than three of them have t >= 1/2, those of the
    training rows. A training that was ended by early stopping never has this sign: its loss fell by less
    than `min_delta`.

    *The tuned model answers no better than the base model*: its field accuracy is not higher, that of the
    base model is below 1, and the validation loss did not rise: the last one is at most 1.05 times the lowest
    one, which is not above the base model's. A loss that rises has other reasons.

    Args:
        config: the run's config.
        metrics: the content of metrics.json.
    """
    signs = [sign for sign in (_still_falling(metrics), _no_better(metrics)) if sign]
    if not signs:
        return None
    return f"The model seems to be under-trained: {', and '.join(signs)}. {_remedy(config, metrics)}"


def _still_falling(metrics: Mapping[str, Any]) -> str | None:
    if metrics.get("stopped_early"):
        return None
    base = metrics.get(BASE_LOSS)
    validation = [(0, base)] if base is not None else []
    validation += [(entry["step"], entry["eval_loss"]) for entry in metrics["eval_history"]]
    training = [(entry["step"], entry["loss"]) for entry in metrics["train_history"]]
    for kind, losses in (("validation", validation), ("training", training)):
        end = _end(losses, metrics["train_history"])
        if end is not None:
            fall = f"by {end.fall:.2g} % over the last quarter of the training"
            return f"the {kind} loss was still falling, {fall}" if end.falls else None
    return None


@dataclass(frozen=True)
class _End:
    """How the loss changes at the end of a training."""

    falls: bool
    fall: float
    """Over the last quarter, in percent."""


def _end(losses: Sequence[tuple[int, float]], history: Sequence[Mapping[str, Any]]) -> _End | None:
    """The end of a curve of (step, loss); None when it has too few points there."""
    if not losses:
        return None
    steps = np.array([step for step, _ in losses], np.float64)
    logs = np.log([max(loss, 1e-12) for _, loss in losses])
    shares = _shares_of_learning_rate(steps, history)
    late = shares >= 0.5
    if late.sum() < _FEWEST_LOSSES:
        return None
    at, values = shares[late] - shares[late].mean(), logs[late] - logs[late].mean()
    slope = float(at @ values / (at @ at))
    error = math.sqrt(float(((values - slope * at) ** 2).sum()) / (len(at) - 2) / float(at @ at))
    is_noise = slope >= -_STANDARD_ERRORS * error
    is_small = -slope / 4 < _STILL_FALLING * (logs[0] - logs[-1])
    return _End(not is_noise and not is_small, 100 * (1 - math.exp(slope / 4)))


def _shares_of_learning_rate(steps: Any, history: Sequence[Mapping[str, Any]]) -> Any:
    """The learning rate summed up until each step, as a share of the sum at the last step."""
    known = [(entry["step"], entry["learning_rate"]) for entry in history if "learning_rate" in entry]
    ends = np.array([0, *(step for step, _ in known)], np.float64)
    sums = np.concatenate([[0.0], np.cumsum(np.diff(ends) * [rate for _, rate in known])])
    if sums[-1] <= 0:
        return steps / max(1.0, steps[-1])
    return np.interp(steps, ends, sums / sums[-1])


def _no_better(metrics: Mapping[str, Any]) -> str | None:
    evaluation = metrics.get("evaluation") or {}
    base, tuned = (evaluation.get(which, {}).get("field_accuracy") for which in ("base", "tuned"))
    if base is None or tuned is None or float(tuned) > float(base) or float(base) >= 1:
        return None
    losses = [entry["eval_loss"] for entry in metrics["eval_history"]]
    first = metrics.get(BASE_LOSS)
    if losses and (losses[-1] > _OVERFITTED * min(losses) or (first is not None and min(losses) > first)):
        return None
    return f"the tuned model is no better than the base model (field accuracy {tuned}, base model {base})"


def _remedy(config: TrainerConfig, metrics: Mapping[str, Any]) -> str:
    rate, (low, high) = config.training.known_learning_rate, _USUAL_RATES
    length = "training.max_steps" if config.training.max_steps else "training.num_train_epochs"
    length = "early_stopping.patience" if metrics.get("stopped_early") else length
    usual = f"; recipes for PaddleOCR-VL use {low:g} to {high:g}" if rate < high else ""
    if metrics.get("range_test"):
        remedy = f"Raise {length} (training.learning_rate auto chose {rate:g})"
    else:
        remedy = f"Raise {length} or training.learning_rate (now {rate:g}{usual}), or set it to {AUTO}"
    if not set(_LINEAR_LAYERS) <= set(config.lora.target_modules):
        layers = ", ".join(_LINEAR_LAYERS)
        remedy += f"; let the adapter change all linear layers (lora.target_modules: [{layers}])"
    return f"{remedy}."
