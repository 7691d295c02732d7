"""Runs an S3 server in memory on a free loopback port, for the demo."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

REGION = "us-east-1"


@dataclass(frozen=True)
class StoredObject:
    """An object of a bucket."""

    key: str
    size: int


class Bucket:
    """One bucket of the embedded server."""

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        self.name = name
        self.environment = environment
        """Environment variables that make boto3 use this server."""
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            region_name=environment["AWS_REGION"],
        )
        self._client.create_bucket(Bucket=name)

    def upload(self, files: Mapping[str, Path], console: Console) -> None:
        """Upload files, by key, with a progress bar."""
        columns = (TextColumn("  {task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("uploading", total=sum(path.stat().st_size for path in files.values()))
            for key, path in files.items():
                self._client.upload_file(
                    str(path), self.name, key, Callback=lambda num_bytes: bar.advance(task, num_bytes)
                )

    def list(self) -> list[StoredObject]:
        """Every object, sorted by key."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return [StoredObject(o["Key"], o["Size"]) for page in pages for o in page.get("Contents", [])]

    def download(self, prefix: str, folder: Path) -> None:
        """Download everything below a prefix into the folder, by its key."""
        for stored in self.list():
            if stored.key.startswith(prefix):
                path = folder / stored.key
                path.parent.mkdir(parents=True, exist_ok=True)
                self._client.download_file(self.name, stored.key, str(path))


@contextmanager
def serve_bucket(name: str) -> Iterator[Bucket]:
    """A server with one empty bucket; both end with the context."""
    # It logs every request at INFO.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "demo",
        "AWS_SECRET_ACCESS_KEY": "demo",
        "AWS_REGION": REGION,
    }
    try:
        yield Bucket(name, environment)
    finally:
        server.stop()
