"""Search space of a sweep: settings, and the values each may take."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial
from pydantic import ValidationError

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.experiments import FIXED_SETTINGS
from finscribe_core.overrides import apply_overrides, field_path
from finscribe_core.parsing import validation_problems
from finscribe_core.trainer_config import TrainerConfig
from finscribe_core.yaml_files import read_documents, read_value

_REMEDY = (
    "Write PATH=log:LOW:HIGH or PATH=LOW:HIGH for a range, PATH=A,B,C for choices; in a file "
    "{low: ..., high: ..., log: true} or {choices: [...]}."
)


@dataclass(frozen=True)
class Parameter:
    """A setting and the distribution of its values."""

    path: str
    distribution: BaseDistribution
    choices: tuple[Any, ...] = ()
    """Values of a categorical setting; optuna gets their indices, as a value may be a list."""

    def suggest(self, trial: Trial) -> Any:
        """Let optuna choose the value of a trial."""
        found = self.distribution
        if isinstance(found, CategoricalDistribution):
            return self.value(trial.suggest_categorical(self.path, found.choices))
        if isinstance(found, IntDistribution):
            return trial.suggest_int(self.path, found.low, found.high, log=found.log)
        assert isinstance(found, FloatDistribution)
        return trial.suggest_float(self.path, found.low, found.high, log=found.log)

    def value(self, suggested: Any) -> Any:
        """The setting's value for what optuna has chosen."""
        return self.choices[suggested] if self.choices else suggested

    @property
    def extremes(self) -> tuple[Any, ...]:
        """The values to validate: all choices, or both ends of the range."""
        found = self.distribution
        return self.choices or (found.low, found.high)  # type: ignore[attr-defined] # a number's range


def read_space(file: Path | None, texts: Iterable[str]) -> list[Parameter]:
    """The search space of a file and of `--param` arguments, which take precedence.

    Raises:
        UserError: InvalidConfig when there is none, one can't be read, or a setting is given twice.
    """
    given: dict[str, Parameter] = {}
    if file is not None:
        documents = read_documents(file)
        if len(documents) != 1 or not isinstance(documents[0].data, dict):
            raise UserError(
                FailureReason.InvalidConfig, f"{file} is not a mapping of settings to values.", _REMEDY
            )
        for path, value in documents[0].data.items():
            where = documents[0].where((str(path),))
            if not isinstance(path, str):
                raise UserError(
                    FailureReason.InvalidConfig,
                    f"{where}: {path} is not a setting.",
                    "Write a setting's path, such as training.learning_rate.",
                )
            _add(given, _from_mapping(path, value, where), where)
    arguments: dict[str, Parameter] = {}
    for text in texts:
        path, _, value = text.partition("=")
        where = f"--param {text}"
        _add(arguments, _from_text(path.strip(), value, where), where)
    given |= arguments
    if not given:
        raise UserError(FailureReason.InvalidConfig, "The search space is empty.", "Pass --param or --space.")
    return list(given.values())


def _add(space: dict[str, Parameter], parameter: Parameter, where: str) -> None:
    """Add a parameter by its setting's canonical path, so that other spellings are found as duplicates."""
    setting = field_path(TrainerConfig, parameter.path)
    if setting in space:
        raise UserError(
            FailureReason.InvalidConfig, f"{where}: the setting {setting} is given twice.", "Remove one."
        )
    space[setting] = parameter


def _from_text(path: str, text: str, where: str) -> Parameter:
    """`log:1e-6:1e-3`, `0:0.2`, `8,16,32`."""
    if ":" not in text:
        return _from_mapping(path, {"choices": read_value(f"[{text}]", where)}, where)
    kind, *ends = text.split(":") if text.startswith("log:") else ("", *text.split(":"))
    if len(ends) != 2:
        raise _invalid(where)
    low, high = (read_value(end, where) for end in ends)
    return _from_mapping(path, {"low": low, "high": high, "log": kind == "log"}, where)


def _from_mapping(path: str, value: Any, where: str) -> Parameter:
    if not isinstance(value, Mapping) or not path:
        raise _invalid(where)
    if set(value) == {"choices"}:
        choices = value["choices"]
        if not isinstance(choices, list) or len(choices) < 2:
            raise _invalid(where)
        return Parameter(path, CategoricalDistribution(range(len(choices))), tuple(choices))
    low: Any = value.get("low")
    high: Any = value.get("high")
    log = value.get("log", False)
    numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high))
    if set(value) - {"low", "high", "log"} or not numbers or not isinstance(log, bool):
        raise _invalid(where)
    whole = isinstance(low, int) and isinstance(high, int)
    try:
        return Parameter(path, (IntDistribution if whole else FloatDistribution)(low, high, log=log))
    except ValueError as error:
        raise UserError(FailureReason.InvalidConfig, f"{where}: {error}", _REMEDY) from None


def _invalid(where: str) -> UserError:
    return UserError(FailureReason.InvalidConfig, f"{where}: neither a range nor choices.", _REMEDY)


def changed(base: TrainerConfig, overrides: Mapping[str, Any]) -> TrainerConfig:
    """The config with other values.

    Raises:
        UserError: InvalidConfig for an unknown path or an invalid value.
    """
    for path in overrides:
        if field_path(TrainerConfig, path).split(".")[0] in FIXED_SETTINGS:
            raise UserError(
                FailureReason.InvalidConfig, f"{path} can't be part of a search space.", "Remove it."
            )
    data = base.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    data = apply_overrides(TrainerConfig, data, overrides, "the space's")
    try:
        return TrainerConfig.model_validate(data)
    except ValidationError as error:
        shown = ", ".join(f"{path}={value}" for path, value in overrides.items())
        problems = " ".join(text for _, text in validation_problems(error, TrainerConfig))
        raise UserError(FailureReason.InvalidConfig, f"{shown}: {problems}", "") from None


def validate_space(base: TrainerConfig, space: Iterable[Parameter]) -> None:
    """Validate both ends of every range, and every choice, before anything is trained.

    Raises:
        UserError: InvalidConfig, naming the first invalid value.
    """
    for parameter in space:
        for value in parameter.extremes:
            changed(base, {parameter.path: value})
