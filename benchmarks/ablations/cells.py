"""The settings that are compared: each differs from the default in one factor."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from finscribe_core.trainer_config import AUTO

ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
ALL_LINEAR = [*ATTENTION, "gate_proj", "up_proj", "down_proj"]
DEFAULT_RATE = 6e-3
STEPS = 480
DEFAULT: dict[str, Any] = {
    "lora": {"r": 16, "alpha": 32, "dropout": 0.0, "target_modules": ALL_LINEAR},
    "training": {
        "learning_rate": DEFAULT_RATE,
        "warmup_ratio": 0.05,
        "max_steps": STEPS,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 1,
        "gradient_checkpointing": False,
        "dataloader_num_workers": 0,
        "logging_steps": 10,
        "eval_steps": STEPS,
        "report_to": [],
    },
    "early_stopping": {"enabled": False},
    "evaluation": {"enabled": False, "training_documents": 0},
}
"""Trainer config of the default, without its paths and its seed. The loss is evaluated before the first step
and after the last one; documents are evaluated by the benchmark, for the tuned model only."""

TARGETS = {"attention": ATTENTION, "all linear": ALL_LINEAR}
RANKS = (4, 16, 64)
RATES: tuple[float | str, ...] = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, AUTO)
COARSE_RATES: tuple[float | str, ...] = (1e-2, AUTO, 3e-3, 3e-2)
"""Measured for all adapters before anything else."""
DOCUMENTS = (50, 200, 800)
DEFAULT_DOCUMENTS = 800


@dataclass(frozen=True)
class Setting:
    """A way to train, and the row of the table that it belongs to."""

    row: str
    name: str
    overrides: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Values of the trainer's config by dotted path."""
    documents: int = DEFAULT_DOCUMENTS
    """Training documents."""
    random_base: bool = False
    """Whether the base model has random weights."""
    trained: bool = True
    """False for the base model itself."""
    prompt_labels: bool = False
    """Whether the text of the prompt is learned, too, which the trainer does not offer."""

    @property
    def key(self) -> str:
        """Identifies what is measured: equal for two settings that train alike."""
        flags = [self.documents, self.random_base, self.trained, self.prompt_labels]
        changes = {path: value for path, value in self.overrides.items() if _default(path) != value}
        text = json.dumps([DEFAULT, changes, flags], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Cell:
    """One measurement."""

    setting: Setting
    seed: int

    @property
    def id(self) -> tuple[str, int]:
        """Identifies its result."""
        return self.setting.key, self.seed

    def __str__(self) -> str:
        return f"{self.setting.row}: {self.setting.name}, seed {self.seed}"


THE_DEFAULT = Setting("default", "default")


def learning_rate(targets: str, rank: int, rate: float | str) -> Setting:
    """A field of the table of learning rates. Alpha is twice the rank, so that the scale of the adapter's
    output is the same for all ranks.
    """
    overrides = {
        "lora.target_modules": TARGETS[targets],
        "lora.r": rank,
        "lora.alpha": 2 * rank,
        "training.learning_rate": rate,
    }
    return Setting("learning rate", f"{targets}, rank {rank}, {rate_text(rate)}", overrides)


def rate_text(rate: float | str) -> str:
    """A learning rate as on the page."""
    return rate if isinstance(rate, str) else f"{rate:g}"


def settings() -> Iterator[Setting]:
    """All settings but the default, in the order in which they are measured."""
    adapters = list(product((16, 4, 64), TARGETS))
    for (rank, targets), rate in product(adapters, COARSE_RATES):
        yield learning_rate(targets, rank, rate)
    yield from FEATURES
    fine_rates = [rate for rate in RATES if rate not in COARSE_RATES]
    for fine_rate, (rank, targets) in product(fine_rates, adapters):
        yield learning_rate(targets, rank, fine_rate)


FEATURES = (
    Setting("base model", "not tuned", trained=False),
    Setting("base model", "random weights", random_base=True),
    # The preflight would stop it, because the prompt counts in the loss.
    Setting("labels", "prompt and answer", {"preflight.enabled": False}, prompt_labels=True),
    *(Setting("training documents", str(number), documents=number) for number in DOCUMENTS),
    Setting("feature cache", "off", {"feature_cache.enabled": False}),
    Setting("augmentation", "default ranges", {"augmentation.enabled": True}),
    Setting(
        "augmentation",
        "no rotation",
        {"augmentation.enabled": True, "augmentation.rotation_range": [0.0, 0.0]},
    ),
    Setting("curriculum", "easy to hard", {"curriculum.enabled": True}),
    Setting("loss", "focal", {"loss.use_focal": True}),
    Setting("loss", "label smoothing 0.1", {"loss.use_label_smoothing": True}),
    Setting("loss", "numbers weigh 2", {"loss.number_weight": 2.0}),
    Setting("vision tower", "adapted", {"lora.scope": "All"}),
    Setting("curriculum", "random", {"curriculum.enabled": True, "curriculum.difficulty_schedule": "random"}),
)
"""All settings besides the table of learning rates."""


def cells(num_seeds: int, only: str = "") -> list[Cell]:
    """All measurements: those of the default first, because all others are compared with it, then one seed
    after another, so that an unfinished table has as many rows as possible.

    Args:
        num_seeds: Measurements of each setting.
        only: Only rows with this text in their name, and the default.
    """
    chosen = [setting for setting in settings() if only in setting.row]
    order = [Cell(THE_DEFAULT, seed) for seed in range(num_seeds)]
    order += [Cell(setting, seed) for seed in range(num_seeds) for setting in chosen]
    unique: dict[tuple[str, int], Cell] = {}
    for cell in order:  # the default is also a field of the table of learning rates
        unique.setdefault(cell.id, cell)
    return list(unique.values())


def _default(path: str) -> Any:
    value: Any = DEFAULT
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
