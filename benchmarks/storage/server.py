"""Starts versitygw, an S3 server written in Go that stores objects as files, on 127.0.0.1."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.config import Config

from tools.kube.process import Processes, free_ports
from tools.kube.services import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ACCESS_KEY = "bench-access-key"
SECRET_KEY = "bench-secret-key"  # noqa: S105 - of a server that lives for the benchmark
BUCKET = "bench"


@dataclass(frozen=True)
class Server:
    """A running server."""

    endpoint: str
    port: int
    folder: Path
    """Each object is a file below `folder/<bucket>`."""

    @property
    def env(self) -> dict[str, str]:
        """The environment of a client's process."""
        rest = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return rest | {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self) -> "S3Client":
        """A plain client of the server."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(s3={"addressing_style": "path"}),
        )

    def path(self, key: str) -> Path:
        """The file in which an object is stored."""
        return self.folder / BUCKET / key

    def put(self, source: Path, key: str) -> None:
        """Store a file, in parts of 8 MiB when it is larger."""
        self.client().upload_file(str(source), BUCKET, key)

    def put_all(self, folder: Path, prefix: str) -> None:
        """Store every file of a folder."""
        with create_transfer_manager(self.client(), TransferConfig()) as manager:
            for path in folder.iterdir():
                manager.upload(str(path), BUCKET, f"{prefix}/{path.name}")


@contextmanager
def run_server(folder: Path) -> Iterator[Server]:
    """A server over a folder, with an empty bucket; ended afterwards."""
    [port] = free_ports(1)
    service = S3Server("127.0.0.1", port, folder / "objects", ACCESS_KEY, SECRET_KEY)
    part = service.part()
    processes = Processes(folder / "server", die_with_parent=True)
    # Connections are reused, as they are with S3, and no request is logged.
    command = [part.command[0], "--keep-alive", "--quiet", *part.command[1:]]
    processes.start(type(part)(part.name, command, part.is_ready, part.env))
    try:
        server = Server(service.url, port, service.folder)
        server.client().create_bucket(Bucket=BUCKET)
        yield server
    finally:
        processes.stop(part.name)
