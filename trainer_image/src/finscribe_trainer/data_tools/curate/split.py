"""Splits rows into training, validation and test, so that nothing of one is seen in another."""

import hashlib
import random
import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.images import ImageError, resolve_image
from finscribe_trainer.data.row_problems import RowProblems
from finscribe_trainer.data.row_reader import scan_values
from finscribe_trainer.data.rows import Row, RowError, parse_row
from finscribe_trainer.data_tools.curate.writing import new_files
from finscribe_trainer.documents.numbers import dump_json, load_json
from finscribe_trainer.documents.problems import Problem
from finscribe_trainer.runtime.files import atomic_path
from finscribe_trainer.runtime.progress import progress

SIDES = ("train", "val", "test")


@dataclass(frozen=True)
class Plan:
    """How rows are split."""

    validation: float = 0.05
    test: float = 0.05
    seed: int = 42
    group_by: str | None = None
    """A key of the row, or a path of its answer: rows of one value stay together."""
    stratify: bool = False
    """Whether each document_type is split by itself."""


@dataclass
class _Group:
    """Rows that must stay together."""

    digest: bytes
    """The least of its rows': decides its place in the order, whatever order the rows are in."""
    stratum: str
    """The least of its rows', likewise."""
    size: int = 0


def split_rows(source: Path, output_dir: Path, plan: Plan) -> dict[str, int]:
    """Write train.jsonl, val.jsonl and test.jsonl below `output_dir`, and link their images there.

    Two passes; remembered are about 200 bytes a row, never its text. Rows that share an image (by its
    content), a prompt with its images, or the value of `plan.group_by` stay on one side.

    Returns:
        rows of each side.

    Raises:
        UserError: DatasetInvalid naming rows that can't be used, or that a side would be empty;
            InvalidConfig when an output exists.
    """
    file = DataFile(source, str(source))
    if source.is_dir() and output_dir.resolve() == source.resolve():
        raise UserError(
            FailureReason.InvalidConfig,
            f"{output_dir} is the folder of shards itself: its rows would be there twice.",
            "Name another --output-dir.",
        )
    shares = {"val": plan.validation, "test": plan.test}
    wanted = [side for side in SIDES if shares.get(side, 1) > 0]
    with new_files(*(output_dir / f"{side}.jsonl" for side in wanted)) as outputs:
        groups, group_of_row, images = _read_groups(file, plan)
        side_of_group = assign(groups, shares, plan.seed)
        counts = dict.fromkeys(wanted, 0)
        for number, group in groups.items():
            counts[side_of_group[number]] += group.size
        for side, count in counts.items():
            if not count:
                raise _too_few(source, side)
        out = dict(zip(wanted, outputs, strict=True))
        for name in progress(images, "Link images", unit="images"):
            _link(file.root, output_dir, name)
        rows = progress(scan_values(file), "Write rows", total=len(group_of_row), unit="rows")
        for index, (_, value) in enumerate(rows):
            side = side_of_group[group_of_row[index]]
            out[side].write(dump_json(value) + "\n")
    return counts


def assign(groups: dict[int, _Group], shares: dict[str, float], seed: int) -> dict[int, str]:
    """The side of each group: in an order that the seed makes, each side takes what fits until it is full.

    Shares are of all rows up to the stratum's last, so that many small strata round to the whole's share.
    """
    strata = defaultdict(list)
    for number, group in groups.items():
        strata[group.stratum].append(number)
    sides = dict.fromkeys(groups, SIDES[0])
    before, taken = 0, dict.fromkeys(shares, 0)
    total = sum(group.size for group in groups.values())
    for stratum in sorted(strata):
        numbers = sorted(strata[stratum], key=lambda number: _place(groups[number].digest, seed))
        before += sum(groups[number].size for number in numbers)
        goals = {side: _goal(share, before, total) for side, share in shares.items()}
        for number in numbers:
            size = groups[number].size
            side = next((s for s, goal in goals.items() if taken[s] + size <= goal), None)
            if side:
                sides[number] = side
                taken[side] += size
    return sides


def _goal(share: float, rows: int, total: int) -> int:
    goal = round(share * rows)
    return max(1, goal) if share and rows == total else goal


def _place(digest: bytes, seed: int) -> float:
    return random.Random(f"{seed}/{digest.hex()}").random()  # noqa: S311 - a split, not a secret


def _read_groups(file: DataFile, plan: Plan) -> tuple[dict[int, _Group], list[int], list[str]]:
    """First pass: every row checked, and joined to the rows that it shares a key with."""
    problems = RowProblems()
    parents: list[int] = []
    first_with: dict[bytes, int] = {}
    image_digests: dict[str, bytes] = {}
    found: list[tuple[bytes, str]] = []
    has_field = plan.group_by is None

    def find(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    for where, value in progress(scan_values(file), "Read rows", unit="rows"):
        try:
            row = _parse(value)
            for name in row.images:
                if name not in image_digests:
                    image_digests[name] = _hash_file(resolve_image(file.root, name))
        except (RowError, ImageError) as error:
            problems.add(where, str(error))
            continue
        shown = [image_digests[name] for name in row.images]
        prompt = _digest("prompt", *(f"{turn.role}:{turn.text}" for turn in row.turns), *shown)
        index = len(parents)
        parents.append(index)
        answer = _answer(row) if plan.group_by or plan.stratify else None
        same = _group_key(value, answer, plan.group_by)
        has_field |= bool(same)
        for key in (prompt, *shown, *same):
            other = find(first_with.setdefault(key, index))
            mine = find(index)
            parents[max(mine, other)] = min(mine, other)  # the root is a group's first row
        found.append((_digest(prompt, row.completion), _stratum(answer) if plan.stratify else ""))
    problems.raise_if_any()
    if not parents:
        raise UserError(
            FailureReason.DatasetInvalid, f"{file.source}: there are no rows.", "Write one row per line."
        )
    if not has_field:
        raise UserError(
            FailureReason.InvalidConfig,
            f"--group-by {plan.group_by}: no row of {file.source} has it.",
            "Name a key of the rows, or a field of their answers, such as vendor.name.",
        )
    roots = [find(index) for index in range(len(parents))]
    return _groups(roots, found), roots, list(image_digests)


def _groups(roots: list[int], found: list[tuple[bytes, str]]) -> dict[int, _Group]:
    groups: dict[int, _Group] = {}
    for root, (digest, stratum) in zip(roots, found, strict=True):
        group = groups.setdefault(root, _Group(digest, stratum))
        group.size += 1
        group.digest, group.stratum = min(group.digest, digest), min(group.stratum, stratum)
    return groups


def _parse(value: Any) -> Row:
    if isinstance(value, Problem):
        raise RowError(value.message, value.rule)
    return parse_row(value)


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


def _hash_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()


def _link(root: Path, output_dir: Path, name: str) -> None:
    """The image under its name below `output_dir`: a hard link where the disk can, else a copy."""
    source, target = resolve_image(root, name), output_dir / name
    if target.exists():
        if target.samefile(source) or _hash_file(target) == _hash_file(source):
            return
        raise UserError(
            FailureReason.InvalidConfig, f"{target} exists already, and is another.", "Name another folder."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        with atomic_path(target) as part:
            shutil.copyfile(source, part)


def _too_few(source: Path, side: str) -> UserError:
    return UserError(
        FailureReason.DatasetInvalid,
        f"{source}: no group of rows is left for, or fits into, {side}.jsonl.",
        "Add rows, raise that side's share or set it to 0, or leave out --group-by.",
    )
