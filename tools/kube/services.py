"""The S3 server and the Prometheus of end-to-end tests, as processes of this machine."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.kube.binaries import provide
from tools.kube.cache import cache_dir
from tools.kube.control_plane import is_healthy
from tools.kube.packages import unpack
from tools.kube.process import Part

INTERVAL_SECONDS = 2
INTERVAL = f"{INTERVAL_SECONDS}s"


@dataclass(frozen=True)
class S3Server:
    """versitygw, serving a folder as S3."""

    address: str
    port: int
    folder: Path
    access_key: str
    secret_key: str
    certificate: tuple[Path, Path] | None = None
    """Files of its certificate and key; without them it serves plain HTTP."""

    @property
    def url(self) -> str:
        """Its URL, from pods and from this machine."""
        return f"{'https' if self.certificate else 'http'}://{self.address}:{self.port}"

    def part(self) -> Part:
        """The S3 server as a part of the cluster; creates its folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        program = provide(["versitygw"])["versitygw"]
        command = [str(program), "--port", f"{self.address}:{self.port}", "--health", "/health"]
        if self.certificate:
            command += ["--cert", str(self.certificate[0]), "--key", str(self.certificate[1])]
        command += ["posix", str(self.folder)]
        credentials = {"ROOT_ACCESS_KEY": self.access_key, "ROOT_SECRET_KEY": self.secret_key}
        return Part("versitygw", command, is_healthy(f"{self.url}/health"), credentials)


@dataclass(frozen=True)
class Prometheus:
    """Debian's Prometheus; it lacks Kubernetes service discovery and gets its targets from `targets_url`:
    those of the operator below `/operator`, those of runs below `/runs`.
    """

    port: int
    folder: Path
    targets_url: str

    @property
    def url(self) -> str:
        """Its URL, from this machine."""
        return f"http://127.0.0.1:{self.port}"

    def part(self) -> Part:
        """Write the configuration; returns Prometheus as a part of the cluster."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "prometheus.yaml"
        config.write_text(yaml.safe_dump(self._config()))
        on_path = shutil.which("prometheus")
        program = on_path or unpack("prometheus", "usr/bin/prometheus", cache_dir() / "prometheus")
        command = [
            str(program),
            f"--config.file={config}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        return Part("prometheus", command, is_healthy(f"{self.url}/-/ready"))

    def _config(self) -> dict[str, Any]:
        scrapes = [
            {
                "job_name": name,
                "honor_labels": name == "operator",  # its metrics name the namespaces of jobs
                "http_sd_configs": [{"url": f"{self.targets_url}/{name}", "refresh_interval": INTERVAL}],
            }
            for name in ("operator", "runs")
        ]
        return {
            "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL},
            "scrape_configs": scrapes,
        }
