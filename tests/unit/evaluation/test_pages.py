"""Reports find the pages of results that name them relative to the data set, and no other files."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from finscribe_trainer.evaluation.report.pages import find_pages
from finscribe_trainer.evaluation.results import Results
from tests.support.comparison import results_of

GOLD = {"vendor": "A"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set in set/, downloads in eval/results.json.inputs/rows/, other pages in scans/."""
    for name in ("set/a.png", "eval/results.json.inputs/rows/a.png", "scans/b.png", "secret.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (9, 9)).save(tmp_path / name)
    (tmp_path / "set/test.jsonl").touch()
    return tmp_path


def results(source: object, name: object) -> Results:
    found = results_of("m", [(GOLD, GOLD)], [str(name)])
    return replace(found, data=replace(found.data, source=str(source)))


FOUND = {
    "a file of rows": ("{f}/set/test.jsonl", "a.png", None, "set/a.png"),
    "a folder": ("{f}/set", "a.png", None, "set/a.png"),
    "rows held out": ("{f}/set/train.jsonl (held out)", "a.png", None, "set/a.png"),
    "results of an earlier version, with the whole path": ("{f}/set", "{f}/set/a.png", None, "set/a.png"),
    "below image_root": ("{f}/set", "../scans/b.png", "{f}/scans", "scans/b.png"),
    "a bucket": ("s3://b/set/test.jsonl", "a.png", None, "eval/results.json.inputs/rows/a.png"),
    "a prefix": ("s3://b/set/", "a.png", None, "eval/results.json.inputs/rows/a.png"),
    "a URI": ("s3://b/set/", "s3://b/set/a.png", None, "eval/results.json.inputs/rows/a.png"),
    "a file outside": ("{f}/set", "../secret.png", "{f}/scans", None),
    "a whole path outside": ("{f}/set", "{f}/secret.png", None, None),
    "another machine's folder": ("/data/set/test.jsonl", "a.png", None, None),
}  # fmt: skip


@pytest.mark.parametrize(("source", "name", "root", "expected"), FOUND.values(), ids=FOUND)
def test_a_page_is_found_below_the_rows_folder_alone(source, name, root, expected, folder):
    name = name.format(f=folder)
    root = root and root.format(f=folder)
    pages = find_pages(results(source.format(f=folder), name), folder / "eval/results.json", root)
    assert pages == ({} if expected is None else {name: folder / expected})
