"""What stands beside a cluster in end-to-end tests: an S3 server and a Prometheus, as programs here."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.kube.binaries import provide
from tools.kube.cache import cache_dir
from tools.kube.control_plane import answers
from tools.kube.packages import unpacked
from tools.kube.process import Part

INTERVAL = "2s"


@dataclass(frozen=True)
class S3Server:
    """A versitygw over a folder."""

    address: str
    port: int
    folder: Path
    access_key: str
    secret_key: str

    @property
    def url(self) -> str:
        """Where pods and this machine find it."""
        return f"http://{self.address}:{self.port}"

    def part(self) -> Part:
        """The program."""
        self.folder.mkdir(parents=True, exist_ok=True)
        program = provide(["versitygw"])["versitygw"]
        command = [str(program), "--port", f"{self.address}:{self.port}", "--health", "/health"]
        command += ["posix", str(self.folder)]
        credentials = {"ROOT_ACCESS_KEY": self.access_key, "ROOT_SECRET_KEY": self.secret_key}
        return Part("versitygw", command, answers(f"{self.url}/health"), credentials)


@dataclass(frozen=True)
class Prometheus:
    """Debian's Prometheus. Built without Kubernetes' discovery, it asks `targets_url` what to scrape."""

    port: int
    folder: Path
    targets_url: str

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def part(self) -> Part:
        """The program; its configuration is written first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "prometheus.yaml"
        config.write_text(yaml.safe_dump(self._config()))
        on_path = shutil.which("prometheus")
        program = on_path or unpacked("prometheus", "usr/bin/prometheus", cache_dir() / "prometheus")
        command = [
            str(program),
            f"--config.file={config}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        return Part("prometheus", command, answers(f"{self.url}/-/ready"))

    def _config(self) -> dict[str, Any]:
        discovery = {"url": self.targets_url, "refresh_interval": INTERVAL}
        return {
            "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL},
            "scrape_configs": [{"job_name": "finscribe", "http_sd_configs": [discovery]}],
        }
