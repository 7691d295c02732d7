"""Reads files of A/B experiments and plans their runs: the baseline config, then one changed config each."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from finscribe_core.api.base import KubeModel, pattern
from finscribe_core.errors import FailureReason, UserError
from finscribe_core.fields import spellings
from finscribe_core.file_kinds import FileKind, read_document
from finscribe_core.overrides import apply_overrides, field_path
from finscribe_core.parsing import parse_strictly, validation_problems
from finscribe_core.trainer_config import TrainerConfig
from finscribe_core.yaml_files import Document

log = logging.getLogger(__name__)

BASELINE = "baseline"
"""Name of the run without changes, unless the file names it."""
FIXED_SETTINGS = frozenset({"output_dir", "output_uri", "storage", "feature_cache_dir", "cache_dir"})
"""Settings that no experiment may change: paths, which do not affect training."""
_OWN_FOLDER, _OWN_ENDINGS = "features", (".yaml", ".json", ".md", ".html", ".png")
"""Reserved names next to the experiments' folders: the shared feature cache, configs and results."""


class Experiment(KubeModel):
    """A variation of the baseline config."""

    name: Annotated[
        str,
        Field(
            pattern=pattern(
                r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
                "letters, digits, '.', '_' and '-', with a letter or digit first",
            ),
            max_length=63,
        ),
    ]
    """Name, also of its folder."""
    description: str = ""
    """The question that it answers."""
    overrides: dict[str, Any] = {}
    """Values by dotted path, such as `training.learning_rate: 1.0e-5`. A section may be nested instead."""
    test_params: list[str] = []
    """The changed settings under test, by path or its last part. An experiment that changes several settings
    without naming them here gets a warning, because their effects can't be separated."""
    expected_behavior: str = ""
    """The expected result; shown next to the actual one."""
    notes: str = ""
    """Notes, shown with the results."""


class ExperimentsFile(KubeModel):
    """The file that `finscribe experiments run` reads."""

    config: str | None = None
    """The baseline's config file, relative to this file; `--config` overrides it."""
    experiments: Annotated[list[Experiment], Field(min_length=1, max_length=64)]
    """The experiments."""


@dataclass(frozen=True)
class Variant:
    """One run: the baseline, or an experiment."""

    name: str
    config: TrainerConfig
    """Its config; output paths are still the baseline's."""
    overrides: dict[str, Any] = field(default_factory=dict)
    """Settings that differ from the baseline, by dotted path; empty for the baseline."""
    description: str = ""
    expected_behavior: str = ""
    notes: str = ""


def read_experiments(path: Path) -> tuple[ExperimentsFile, Document]:
    """The experiments, and the document with line numbers for `plan_variants`.

    Raises:
        UserError: InvalidConfig, naming file, line and field.
    """
    document = read_document(
        path, FileKind.Experiments, "Write all experiments into one list, each with a name and overrides."
    )
    return parse_strictly(ExperimentsFile, document), document


def plan_variants(file: ExperimentsFile, document: Document, base: TrainerConfig) -> list[Variant]:
    """All runs: the baseline first, then the experiments in their order.

    An experiment that changes nothing becomes the baseline, under its own name.

    Raises:
        UserError: InvalidConfig, naming file, line and field, for a duplicate name or change, an unknown path
            or an invalid value.
    """
    _check_names(file, document)
    variants, baseline_is_named = [Variant(BASELINE, base)], False
    for index, experiment in enumerate(file.experiments):
        variant = _vary(experiment, base, document, index)
        same = next((other for other in variants if other.config == variant.config), None)
        if same is variants[0] and not baseline_is_named:
            variants[0], baseline_is_named = variant, True
            continue
        where = document.where(("experiments", index, "overrides"))
        if same:
            raise _invalid(where, f"{variant.name} has the same settings as {same.name}", "Remove one.")
        if variant.name == BASELINE:
            raise _invalid(
                where, f"{BASELINE} changes settings", "Rename it: this is the name of the unchanged config."
            )
        _warn_about_several_changes(experiment, variant, where)
        variants.append(variant)
    return variants


def _vary(experiment: Experiment, base: TrainerConfig, document: Document, index: int) -> Variant:
    at = ("experiments", index, "overrides")
    overrides: dict[str, Any] = {}
    settings: set[str] = set()
    data = base.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    for loc, value in _flat(TrainerConfig, experiment.overrides):
        path, where = ".".join(loc), document.where((*at, *loc))
        setting = field_path(TrainerConfig, path)
        if setting.split(".")[0] in FIXED_SETTINGS:
            raise _invalid(where, f"{path} can't be changed by an experiment", "Remove it.")
        if setting in settings:
            raise _invalid(where, f"{path}: the setting {setting} is changed twice", "Remove one.")
        settings.add(setting)
        data = apply_overrides(TrainerConfig, data, {path: value}, f"{where}:")
        overrides[path] = value
    try:
        config = TrainerConfig.model_validate(data)
    except ValidationError as error:
        problems = " ".join(text for _, text in validation_problems(error, TrainerConfig))
        raise _invalid(document.where(at), f"{experiment.name}: {problems.rstrip('.')}", "") from None
    return Variant(
        experiment.name,
        config,
        overrides if config != base else {},
        experiment.description,
        experiment.expected_behavior,
        experiment.notes,
    )


def _flat(
    model: Any, overrides: dict[str, Any], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The overrides with nested sections flattened: the keys of each, and its value."""
    for given, value in overrides.items():
        key, child = str(given), model
        for part in key.split("."):
            found = spellings(child, part) if child else None
            child = found[1] if found else None
        if child is not None and isinstance(value, dict):
            yield from _flat(child, value, (*above, key))
        else:
            yield (*above, key), value


def _warn_about_several_changes(experiment: Experiment, variant: Variant, where: str) -> None:
    named = set(experiment.test_params)
    unnamed = [path for path in variant.overrides if not named & {path, path.rpartition(".")[2]}]
    if len(variant.overrides) > 1 and unnamed:
        log.warning(
            "%s: %s changes several settings (%s): their effects can't be separated. Change one at a "
            "time, or name all of them in test_params.",
            where,
            variant.name,
            ", ".join(variant.overrides),
        )


def _check_names(file: ExperimentsFile, document: Document) -> None:
    names: set[str] = set()
    for index, experiment in enumerate(file.experiments):
        where = document.where(("experiments", index, "name"))
        name = experiment.name.lower()  # file systems may be case-insensitive
        if name in names:
            raise _invalid(where, f"the name {experiment.name} is used twice", "Rename one.")
        if name == _OWN_FOLDER or name.endswith(_OWN_ENDINGS):
            endings = ", ".join(_OWN_ENDINGS)
            reserved = f"{_OWN_FOLDER}, and all names that end in {endings}"
            raise _invalid(
                where,
                f"the name {experiment.name} is reserved (reserved are {reserved})",
                "Choose another name.",
            )
        names.add(name)


def _invalid(where: str, problem: str, remedy: str) -> UserError:
    return UserError(FailureReason.InvalidConfig, f"{where}: {problem}.", remedy)
