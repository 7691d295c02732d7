"""Splits rows into training, validation and test sets without leakage between them."""

import hashlib
import random
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.image_folders import ImageError, resolve_image
from finscribe_trainer.data.images import hash_image
from finscribe_trainer.data.row_fields import RowError
from finscribe_trainer.data.row_problems import RowProblems
from finscribe_trainer.data.row_reader import scan_values
from finscribe_trainer.data.rows import Row, parse_row
from finscribe_trainer.data.same_document import Groups, document_keys
from finscribe_trainer.data.table_images import write_image
from finscribe_trainer.data_tools.curate.output_files import create_files
from finscribe_trainer.documents.numbers import dump_json, load_json
from finscribe_trainer.documents.problems import Problem
from finscribe_trainer.runtime.progress import progress

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Plan:
    """The settings of a split."""

    validation: float = 0.05
    test: float = 0.05
    seed: int = 42
    group_by: str | None = None
    """A key of the row, or a path in its answer; rows with equal values stay together."""
    stratify: bool = False
    """Whether each document_type is split separately."""


@dataclass
class _Group:
    """Rows that must be in the same split."""

    digest: bytes
    """The smallest digest of its rows, which makes the split independent of their order."""
    stratum: str
    """The smallest stratum of its rows."""
    size: int = 0


def split_rows(source: Path, output_dir: Path, plan: Plan, *, overwrite: bool = False) -> dict[str, int]:
    """Write train.jsonl, val.jsonl and test.jsonl to `output_dir`, and link their images there.

    Two passes; memory holds about 200 bytes per row, not its text. Rows of the same document (see
    `document_keys`), or with the same value of `plan.group_by`, are in the same split.

    Returns:
        the number of rows of each split.

    Raises:
        UserError: DatasetInvalid naming invalid rows, or a split that would be empty;
            InvalidConfig when an output exists.
    """
    file = DataFile(source, str(source))
    if source.is_dir() and output_dir.resolve() == source.resolve():
        raise UserError(
            FailureReason.InvalidConfig,
            f"{output_dir} is the folder of the input shards: it would contain every row twice.",
            "Name another --output-dir.",
        )
    shares = {"val": plan.validation, "test": plan.test}
    wanted = [split for split in SPLITS if shares.get(split, 1) > 0]
    with create_files(*(output_dir / f"{split}.jsonl" for split in wanted), overwrite=overwrite) as outputs:
        groups, group_of_row, images = _read_groups(file, plan)
        split_of_group = assign(groups, shares, plan.seed)
        counts = dict.fromkeys(wanted, 0)
        for number, group in groups.items():
            counts[split_of_group[number]] += group.size
        for split, count in counts.items():
            if not count:
                raise _too_few(source, split)
        out = dict(zip(wanted, outputs, strict=True))
        for name in progress(images, "Link images", unit="images"):
            _link(file.root, output_dir, name)
        for index, (_, value) in enumerate(
            progress(scan_values(file), "Write rows", total=len(group_of_row), unit="rows")
        ):
            split = split_of_group[group_of_row[index]]
            out[split].write(dump_json(value) + "\n")
    return counts


def assign(groups: dict[int, _Group], shares: dict[str, float], seed: int) -> dict[int, str]:
    """Assign each group, in random order, to the first split that it fits into.

    Fractions are of all rows up to the current stratum, so that rounding errors do not add up.
    """
    strata = defaultdict(list)
    for number, group in groups.items():
        strata[group.stratum].append(number)
    splits = dict.fromkeys(groups, SPLITS[0])
    before, taken = 0, dict.fromkeys(shares, 0)
    total = sum(group.size for group in groups.values())
    for stratum in sorted(strata):
        numbers = sorted(strata[stratum], key=lambda number: _order_key(groups[number].digest, seed))
        before += sum(groups[number].size for number in numbers)
        goals = {split: _goal(share, before, total) for split, share in shares.items()}
        for number in numbers:
            size = groups[number].size
            split = next((s for s, goal in goals.items() if taken[s] + size <= goal), None)
            if split:
                splits[number] = split
                taken[split] += size
    return splits


def _goal(share: float, rows: int, total: int) -> int:
    goal = round(share * rows)
    return max(1, goal) if share and rows == total else goal


def _order_key(digest: bytes, seed: int) -> float:
    return random.Random(f"{seed}/{digest.hex()}").random()  # noqa: S311 - a split, not cryptography


def _read_groups(file: DataFile, plan: Plan) -> tuple[dict[int, _Group], list[int], list[str]]:
    """First pass: validate every row, and join rows that share a key."""
    problems = RowProblems()
    joined = Groups()
    image_digests: dict[str, str] = {}
    found: list[tuple[bytes, str]] = []
    has_field = plan.group_by is None

    for where, value in progress(scan_values(file), "Read rows", unit="rows"):
        try:
            row = _parse(value, file.root)
            for name in row.images:
                if name not in image_digests:
                    image_digests[name] = hash_image(resolve_image(file.root, name))
        except (RowError, ImageError) as error:
            problems.add(where, str(error))
            continue
        image_keys = [image_digests[name] for name in row.images]
        prompt = _digest("prompt", *(f"{turn.role}:{turn.text}" for turn in row.turns), *image_keys)
        answer = _answer(row) if plan.group_by or plan.stratify else None
        same = _group_key(value, answer, plan.group_by)
        has_field |= bool(same)
        joined.add([*document_keys(row, image_keys), *same])
        found.append((_digest(prompt, row.completion), _stratum(answer) if plan.stratify else ""))
    problems.raise_if_any()
    if not found:
        raise UserError(
            FailureReason.DatasetInvalid, f"{file.source}: there are no rows.", "Write one row per line."
        )
    if not has_field:
        raise UserError(
            FailureReason.InvalidConfig,
            f"--group-by {plan.group_by}: no row of {file.source} has this field.",
            "Name a key of the rows, or a field of their answers, such as vendor.name.",
        )
    roots = joined.first_rows()
    return _groups(roots, found), roots, list(image_digests)


def _groups(roots: list[int], found: list[tuple[bytes, str]]) -> dict[int, _Group]:
    groups: dict[int, _Group] = {}
    for root, (digest, stratum) in zip(roots, found, strict=True):
        group = groups.setdefault(root, _Group(digest, stratum))
        group.size += 1
        group.digest, group.stratum = min(group.digest, digest), min(group.stratum, stratum)
    return groups


def _parse(value: Any, root: Path) -> Row:
    if isinstance(value, Problem):
        raise RowError(value.message, value.rule)
    return parse_row(value, root)


def _answer(row: Row) -> Any:
    try:
        return load_json(row.completion)
    except ValueError:
        return None


def _stratum(answer: Any) -> str:
    return str(answer.get("document_type", "")) if isinstance(answer, dict) else ""


def _group_key(row: dict[str, Any], answer: Any, path: str | None) -> list[bytes]:
    if path is None:
        return []
    value = row[path] if path in row else _at(answer, path)
    return [] if value is None else [_digest("group", dump_json(value))]


def _at(data: Any, path: str) -> Any:
    for key in path.split("."):
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _digest(*parts: str | bytes) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.digest()


def _link(root: Path, output_dir: Path, name: str) -> None:
    """Hard-link an image to its path below `output_dir`; else copy it."""
    source, target = resolve_image(root, name), output_dir / name
    if target.exists():
        if hash_image(target) == hash_image(source):
            return
        raise UserError(
            FailureReason.InvalidConfig,
            f"{target} exists already with other content.",
            "Name another folder.",
        )
    write_image(source, target)


def _too_few(source: Path, split: str) -> UserError:
    return UserError(
        FailureReason.DatasetInvalid,
        f"{source}: no group of rows is left for {split}.jsonl, or none fits.",
        "Add rows, raise its fraction or set it to 0, or omit --group-by.",
    )
