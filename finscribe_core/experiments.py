"""A/B experiments: a file of settings to try, each changed alone against a baseline.

`experiments` names what is changed; the config that it is changed in is the baseline.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from finscribe_core.api.base import KubeModel
from finscribe_core.errors import FailureReason, UserError
from finscribe_core.fields import spellings
from finscribe_core.overrides import apply_overrides, field_path
from finscribe_core.parsing import parse_strictly, validation_problems
from finscribe_core.trainer_config import TrainerConfig
from finscribe_core.yaml_files import Document, read_document

log = logging.getLogger(__name__)

BASELINE = "baseline"
"""Name of the run without changes, where the file gives it none."""
NEVER_VARIED = frozenset({"output_dir", "output_uri", "storage", "feature_cache_dir"})
"""Settings that no experiment may change: they say where things go, not how is trained."""
_OWN_FOLDER, _OWN_ENDINGS = "features", (".yaml", ".json", ".md", ".png")
"""What lies beside the experiments' folders: the shared vision features, configs and results."""


class Experiment(KubeModel):
    """The config once more, with a setting changed."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=63)]
    """Name; its folder, too."""
    description: str = ""
    """What is asked."""
    overrides: dict[str, Any] = {}
    """Values by dotted path, such as `training.learning_rate: 1.0e-5`. A section may be nested instead."""
    test_params: list[str] = []
    """Which of the changed settings are under test, by path or last part. One that changes several settings
    and does not name them is warned of: nobody can tell which one did it."""
    expected_behavior: str = ""
    """What is expected; shown beside the results."""
    notes: str = ""
    """Likewise."""


class ExperimentsFile(KubeModel):
    """The file `finscribe experiments run` reads."""

    config: str | None = None
    """The baseline's config file, relative to this one; `--config` counts more."""
    experiments: Annotated[list[Experiment], Field(min_length=1, max_length=64)]
    """What is tried."""


@dataclass(frozen=True)
class Variant:
    """A run of its own: the baseline, or an experiment."""

    name: str
    config: TrainerConfig
    """Paths of outputs are still the baseline's."""
    overrides: dict[str, Any] = field(default_factory=dict)
    """What differs from the baseline, by dotted path; nothing does in the baseline."""
    description: str = ""
    expected_behavior: str = ""
    notes: str = ""


def read_experiments(path: Path) -> tuple[ExperimentsFile, Document]:
    """The experiments, and the document for `plan_variants`, which names lines.

    Raises:
        UserError: InvalidConfig, naming file, line and field.
    """
    document = read_document(path, "Write all experiments into one list, each with a name and overrides.")
    return parse_strictly(ExperimentsFile, document), document


def plan_variants(file: ExperimentsFile, document: Document, base: TrainerConfig) -> list[Variant]:
    """Every run there has to be: the baseline first, then the experiments in their order.

    An experiment that changes nothing is the baseline, under its own name.

    Raises:
        UserError: InvalidConfig, naming file, line and field, when a name or a change comes twice, a path is
            unknown, or a value can't be.
    """
    _refuse_names(file, document)
    variants, baseline_is_named = [Variant(BASELINE, base)], False
    for index, experiment in enumerate(file.experiments):
        variant = _vary(experiment, base, document, index)
        same = next((other for other in variants if other.config == variant.config), None)
        if same is variants[0] and not baseline_is_named:
            variants[0], baseline_is_named = variant, True
            continue
        where = document.where(("experiments", index, "overrides"))
        if same:
            raise _invalid(where, f"{variant.name} comes to the same settings as {same.name}", "Remove one.")
        if variant.name == BASELINE:
            raise _invalid(
                where, f"{BASELINE} changes settings", "Give it another name: the baseline changes none."
            )
        _warn_of_several(experiment, variant, where)
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
        if setting.split(".")[0] in NEVER_VARIED:
            raise _invalid(where, f"{path} can't be changed by an experiment", "Remove it.")
        if setting in settings:
            raise _invalid(where, f"{path}: the setting {setting} comes twice", "Remove one.")
        settings.add(setting)
        data = apply_overrides(TrainerConfig, data, {path: value}, f"{where}:")
        overrides[path] = value
    try:
        config = TrainerConfig.model_validate(data)
    except ValidationError as error:
        problems = " ".join(text for _, text in validation_problems(error))
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
    """The overrides by the keys that lead to them; a section that is nested is no value of its own."""
    for given, value in overrides.items():
        key, child = str(given), model
        for part in key.split("."):
            found = spellings(child, part) if child else None
            child = found[1] if found else None
        if child is not None and isinstance(value, dict):
            yield from _flat(child, value, (*above, key))
        else:
            yield (*above, key), value


def _warn_of_several(experiment: Experiment, variant: Variant, where: str) -> None:
    named = set(experiment.test_params)
    unnamed = [path for path in variant.overrides if not named & {path, path.rpartition(".")[2]}]
    if len(variant.overrides) > 1 and unnamed:
        log.warning(
            "%s: %s changes several settings (%s): nobody can tell which one did it. Change one at a time, "
            "or name all of them in test_params.",
            where,
            variant.name,
            ", ".join(variant.overrides),
        )


def _refuse_names(file: ExperimentsFile, document: Document) -> None:
    names: set[str] = set()
    for index, experiment in enumerate(file.experiments):
        where = document.where(("experiments", index, "name"))
        name = experiment.name.lower()  # folders of some systems know no case
        if name in names:
            raise _invalid(where, f"the name {experiment.name} comes twice", "Rename one.")
        if name == _OWN_FOLDER or name.endswith(_OWN_ENDINGS):
            own = f"{_OWN_FOLDER}, and what ends in {', '.join(_OWN_ENDINGS)}, lies beside its folder"
            raise _invalid(where, f"the name {experiment.name} is taken: {own}", "Name it otherwise.")
        names.add(name)


def _invalid(where: str, problem: str, remedy: str) -> UserError:
    return UserError(FailureReason.InvalidConfig, f"{where}: {problem}.", remedy)
