"""Starts and kills the operator as a process with its own service account."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import yaml

from tests.apiserver.eventually import eventually
from tools.kube.process import free_ports


class OperatorProcess:
    def __init__(
        self,
        folder: Path,
        kubeconfig: Path,
        settings: dict | None = None,
        module: str = "finscribe_operator",
    ) -> None:
        self.health_port, self.metrics_port = free_ports(2)
        self.log = folder / "operator.log"
        self._config = folder / "operator.yaml"
        self._config.write_text(
            yaml.safe_dump(
                {
                    "trainer_image": "finscribe/trainer:test",
                    "progress_interval_seconds": 0.5,
                    "bind_address": "127.0.0.1",
                    "health_port": self.health_port,
                    "metrics_port": self.metrics_port,
                    "log_format": "text",
                }
                | (settings or {})
            )
        )
        self._env = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", self._module, "--config", str(self._config)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self._env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        eventually(self._is_healthy, within=60, what="the operator is healthy")

    def kill(self, sig: signal.Signals = signal.SIGKILL) -> int:
        """Send it a signal, SIGKILL by default; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(sig)
        code = self._process.wait(timeout=30)
        self._process = None
        return code

    def stop(self) -> None:
        if self._process is not None:
            self.kill(signal.SIGTERM)

    @property
    def pid(self) -> int:
        """The process id; another one after a restart."""
        assert self._process is not None
        return self._process.pid

    def metric(self, name: str) -> float:
        """The value of a line of `/metrics`, labels included in the name; 0 without it."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as answer:
            lines = (line.rpartition(" ") for line in answer.read().decode().splitlines())
            return next((float(value) for key, _, value in lines if key == name), 0.0)

    def _is_healthy(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"the operator exited at once:\n{self.log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/healthz", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False
