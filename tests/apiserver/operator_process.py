"""Starts and kills the operator as a process with its own service account."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import yaml

from tests.apiserver.eventually import eventually
from tests.apiserver.installation import RELEASE, SYSTEM_NAMESPACE
from tools.kube.process import free_ports


class OperatorProcess:
    """A process of the operator.

    Args:
        folder: for its configuration and log.
        kubeconfig: its credentials.
        settings: added to its configuration.
        module: what `python -m` starts.
        env: added to its environment.
        pod: name of its pod, which takes part in the election of the replica that works; empty: it works
            without a Lease.
        wrapper: a command that executes the operator's, as its last arguments.
    """

    def __init__(
        self,
        folder: Path,
        kubeconfig: Path,
        settings: dict | None = None,
        module: str = "finscribe_operator",
        env: dict[str, str] | None = None,
        pod: str = "",
        *,
        wrapper: Sequence[str] = (),
    ) -> None:
        self._command = [*wrapper, sys.executable, "-m", module]
        if pod:
            self._command.append(f"--lease={SYSTEM_NAMESPACE}/{RELEASE}-operator")
            env = {"POD_NAME": pod, "POD_UID": f"uid-of-{pod}", **(env or {})}
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
        self._env = {**os.environ, "KUBECONFIG": str(kubeconfig), **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it has listed everything."""
        command = [*self._command, "--config", str(self._config)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self._env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        if wait:
            self.await_ready()

    def await_ready(self) -> None:
        """Wait until it has listed everything."""
        eventually(self._is_ready, within=60, what="the operator is ready")

    def kill(self, sig: signal.Signals = signal.SIGKILL, *, within: float = 30) -> int:
        """Send it a signal, SIGKILL by default, upon which it must exit in time; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(sig)
        code = self._process.wait(timeout=within)
        self._process = None
        return code

    def send(self, sig: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(sig)

    def exit_code(self, *, within: float = 30) -> int:
        """Wait until it exits by itself, in time; returns the exit code."""
        assert self._process is not None
        return self._process.wait(timeout=within)

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

    def leads(self) -> bool:
        """Whether it is the replica that works."""
        return self.metric("finscribe_operator_leader") == 1

    @property
    def is_running(self) -> bool:
        """Whether the process has not exited."""
        return self._process is not None and self._process.poll() is None

    def health(self, path: str = "/healthz") -> tuple[int, str]:
        """Status and text of the response of a probe; 0 without a response."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (urllib.error.URLError, OSError) as error:
            return 0, str(error)

    def _is_ready(self) -> bool:
        if not self.is_running:
            raise RuntimeError(f"the operator exited at once:\n{self.log.read_text()[-3000:]}")
        return self.health("/readyz")[0] == 200
