import pytest

from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.inputs import fetch_rows
from finscribe_trainer.storage import Storage


@pytest.mark.parametrize("name", ["./images/a.png", "images//a.png", "images/./a.png"])
def test_an_image_is_found_in_s3_by_every_path_that_finds_it_on_a_disk(name, s3_env, tmp_path):
    bucket = s3_env.create_bucket()
    rows = b"".join(
        b'{"prompt": "Read.", "image": "%s", "completion": "x"}\n' % path.encode()
        for path in (name, "images/a.png")
    )
    for key, content in (("data/train.jsonl", rows), ("data/images/a.png", b"pixels")):
        s3_env.client().put_object(Bucket=bucket, Key=key, Body=content)
    fetch_rows(f"s3://{bucket}/data/train.jsonl", tmp_path, Storage.from_config(StorageEndpoint()))
    assert (tmp_path / name).read_bytes() == b"pixels"
