"""Images are read below the rows' folder or image_root, however they are named, and nowhere else."""

import json
from pathlib import Path

import pytest
from PIL import Image

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.data.dataset import Dataset, load_dataset
from finscribe_trainer.data.fetch import fetch_rows
from finscribe_trainer.storage import Storage
from tests.support.storage import bucket, storage

__all__ = ["bucket", "storage"]


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """Rows in team/rows/, pages in team/rows/images/ and team/scans/, and a secret beside team/."""
    for name in ("team/rows/images/a.png", "team/scans/b.png", "secret/c.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (9, 9)).save(path)
    rows, scans = tmp_path / "team/rows", tmp_path / "team/scans"
    (rows / "inner.png").symlink_to(rows / "images/a.png")
    (rows / "scan.png").symlink_to(scans / "b.png")
    (rows / "leak.png").symlink_to(tmp_path / "secret/c.png")
    (scans / "leak.png").symlink_to(tmp_path / "secret/c.png")
    (rows / "secret").symlink_to(tmp_path / "secret")
    (rows / "loop.png").symlink_to("loop.png")
    return tmp_path / "team"


def load(rows: Path, name: str, root: Path | None = None) -> Dataset:
    (rows / "rows.jsonl").write_text(json.dumps({"prompt": "x", "completion": "y", "image": name}) + "\n")
    file = fetch_rows(
        str(rows / "rows.jsonl"),
        rows / "downloads",
        Storage.from_config(StorageEndpoint()),
        str(root) if root else None,
    )
    return load_dataset(file, 10**6)


# (name in the row, with {team} for the folder; whether image_root is {team}/scans; name in results)
READ = {
    "relative": ("images/a.png", False, "images/a.png"),
    "relative with a dot": ("./images//a.png", False, "images/a.png"),
    "up and down again": ("images/../images/a.png", False, "images/../images/a.png"),
    "absolute below the rows' folder": ("{team}/rows/images/a.png", False, "images/a.png"),
    "absolute, up and down again": ("{team}/scans/../rows/images/a.png", False, "images/a.png"),
    "a link that stays inside": ("inner.png", False, "inner.png"),
    "beside the rows' folder, below image_root": ("../scans/b.png", True, "../scans/b.png"),
    "a link to below image_root": ("scan.png", True, "scan.png"),
    "absolute below image_root": ("{team}/scans/b.png", True, "b.png"),
    "relative to image_root": ("b.png", True, "b.png"),
    "still relative to the rows' folder": ("images/a.png", True, "images/a.png"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "with_root", "published"), READ.values(), ids=READ)
def test_an_image_inside_is_read_and_published_without_this_machines_paths(name, with_root, published, team):
    [example] = load(team / "rows", name.format(team=team), team / "scans" if with_root else None).examples
    assert example.images[0].is_file()
    assert example.image_names == (published,)


def test_of_two_files_the_one_in_the_rows_folder_is_read(team):
    Image.new("L", (7, 7)).save(team / "rows/b.png")
    assert load(team / "rows", "b.png", team / "scans").examples[0].sizes == ((7, 7),)


REFUSED = {
    "beside the rows' folder": ("../scans/b.png", False, "is outside"),
    "absolute": ("{team}/scans/b.png", False, "is outside"),
    "a link out": ("leak.png", False, "is outside"),
    "a folder's link out": ("secret/c.png", False, "is outside"),
    "a link to where image_root would be": ("scan.png", False, "is outside"),
    "outside both": ("../../secret/c.png", True, "is outside"),
    "absolute outside both": ("{team}/../secret/c.png", True, "is outside"),
    "a link out of image_root": ("../scans/leak.png", True, "is outside"),
    "a link out, by its absolute name": ("{team}/scans/leak.png", True, "is outside"),
    "a folder that begins like image_root": ("../scans2/b.png", True, "is outside"),
    "through a folder that leads out": ("secret/../secret/c.png", False, "is outside"),
    "image_root itself": ("../scans", True, "does not exist"),
    "nothing": ("none.png", True, "does not exist"),
    "a loop": ("loop.png", False, "can't be opened|does not exist"),
    "a file URL": ("file:///etc/passwd", True, "must be a path with forward slashes"),
    "backslashes": ("..\\scans\\b.png", True, "must be a path with forward slashes"),
    "an S3 URI": ("s3://bucket/rows/a.png", True, "is outside"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "with_root", "message"), REFUSED.values(), ids=REFUSED)
def test_an_image_outside_is_refused_with_file_and_line(name, with_root, message, team):
    (team / "scans2").mkdir()
    Image.new("L", (9, 9)).save(team / "scans2/b.png")
    root = team / "scans" if with_root else None
    with pytest.raises(UserError, match=rf"rows\.jsonl:1: image .*({message})") as caught:
        load(team / "rows", name.format(team=team), root)
    assert caught.value.reason is FailureReason.DatasetInvalid


def test_an_image_root_that_is_no_folder_is_refused(team):
    with pytest.raises(UserError, match=r"image_root: .*gone is no folder"):
        load(team / "rows", "images/a.png", team / "gone")


def test_rows_and_image_root_may_be_named_from_the_home_folder(team, monkeypatch):
    monkeypatch.setenv("HOME", str(team))
    load(team / "rows", "b.png", team / "scans")
    file = fetch_rows("~/rows/rows.jsonl", team / "x", Storage.from_config(StorageEndpoint()), "~/scans")
    assert load_dataset(file, 10**6).examples[0].images == (team / "scans/b.png",)


# (rows' prefix, image_root, name in the row, key that is downloaded or None, name in results)
IN_A_BUCKET = {
    "relative": ("d", None, "images/a.png", "d/images/a.png", "images/a.png"),
    "other spellings of one key": ("d", None, "./images//a.png", "d/images/a.png", "images/a.png"),
    "URI below the rows' prefix": (
        "d", None, "s3://{bucket}/d/images/a.png", "d/images/a.png", "s3://{bucket}/d/images/a.png",
    ),
    "URI with dots": ("d", None, "s3://{bucket}/d/x/../images/a.png", "d/images/a.png",
                      "s3://{bucket}/d/x/../images/a.png"),
    "beside the prefix": ("d", "scans", "../scans/b.png", "scans/b.png", "../scans/b.png"),
    "URI below image_root": ("d", "scans", "s3://{bucket}/scans/b.png", "scans/b.png", "s3://{bucket}/scans/b.png"),
    "relative to image_root": ("d", "scans/", "b.png", "scans/b.png", "b.png"),
    "up, without image_root": ("d", None, "../scans/b.png", None, ""),
    "URI outside": ("d", None, "s3://{bucket}/scans/b.png", None, ""),
    "URI of another bucket": ("d", "scans", "s3://other/d/images/a.png", None, ""),
    "a prefix that begins alike": ("d", "scan", "../scans/b.png", None, ""),
    "out of the bucket": ("d", "scans", "../../../../scans/../secret/c.png", None, ""),
    "absolute": ("d", None, "/etc/hostname", None, ""),
}  # fmt: skip


@pytest.mark.parametrize("case", IN_A_BUCKET.values(), ids=IN_A_BUCKET)
def test_images_of_a_bucket_are_downloaded_from_the_two_prefixes_alone(
    case, s3_env, storage, bucket, tmp_path
):
    prefix, root, name, key, published = case
    client, name = s3_env.client(), name.format(bucket=bucket)
    Image.new("L", (9, 9)).save(tmp_path / "page.png")
    for each in ("d/images/a.png", "scans/b.png", "secret/c.png"):
        client.put_object(Bucket=bucket, Key=each, Body=(tmp_path / "page.png").read_bytes())
    row = json.dumps({"prompt": "x", "completion": "y", "image": name}).encode()
    client.put_object(Bucket=bucket, Key=f"{prefix}/rows.jsonl", Body=row)

    root = None if root is None else f"s3://{bucket}/{root}"
    file = fetch_rows(f"s3://{bucket}/{prefix}/rows.jsonl", tmp_path / "in/train", storage, root)

    downloaded = list((tmp_path / "in").rglob("*.png"))
    if key is None:
        assert not downloaded
        with pytest.raises(UserError, match=r"rows\.jsonl:1: image .* is outside"):
            load_dataset(file, 10**6)
        return
    [example] = load_dataset(file, 10**6).examples
    assert [path.name for path in downloaded] == [key.rpartition("/")[2]]
    assert example.images == (downloaded[0],)
    assert example.image_names == (published.format(bucket=bucket),)
