"""Turns a pod's container into a local command: volumes to directories, environment, arguments."""

import shutil
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from finscribe_core.constants import CONFIG_FILE, ENV_HTTP_PORT, ENV_LOG_FORMAT, TERMINATION_LOG
from finscribe_operator.local.mounts import Mounts
from finscribe_operator.local.object_files import ObjectFiles
from finscribe_operator.local.process import Command
from finscribe_operator.objects import Object

ENTRYPOINT = (sys.executable, "-m", "finscribe_trainer")
"""The entry point of the trainer image."""
MACHINE_DIRECTORIES = ("/tmp", "/dev/shm")  # noqa: S108 - no file is created there
"""Mount paths that are not translated: containers lack them, this machine has them."""
MACHINE_VARIABLES = ("HOME", "HF_HOME", "TMPDIR", "OMP_NUM_THREADS")
"""Variables that are not passed on: pods need them for a read-only file system, and for a thread for each CPU
that they request. This machine has them set, and all its CPUs are used."""
USERS_PATHS = frozenset({"model_name_or_path"})
"""Config keys whose absolute path is the user's own, on this machine."""


@dataclass(frozen=True)
class Machine:
    """What local containers share: state directory, environment, Secrets, entry point."""

    state_dir: Path
    environment: Mapping[str, str]
    """The user's environment variables, which processes inherit."""
    secrets: Mapping[str, Mapping[str, str]]
    """Values by the Secret's name; they are passed in the process's environment and never written."""
    entrypoint: tuple[str, ...] = ENTRYPOINT


@dataclass(frozen=True)
class Container:
    """A container that is ready to start."""

    command: Command
    port: int
    """Its HTTP port on 127.0.0.1."""
    termination_log: Path


def run_directory(state_dir: Path, job_name: str) -> Path:
    """The directory of a run's volumes and logs."""
    return state_dir / "runs" / job_name


def scratch_directory(state_dir: Path, job_name: str) -> Path:
    """The directory of the run's emptyDir volumes."""
    return run_directory(state_dir, job_name) / "volumes"


def log_file(state_dir: Path, pod: Object) -> Path:
    """The log file of a pod."""
    job_name = pod["metadata"]["labels"]["job-name"]
    return run_directory(state_dir, job_name) / f"{pod['metadata']['name']}.log"


def build_container(machine: Machine, objects: ObjectFiles, pod: Object) -> Container:
    """Create the pod's directories and files, and build the command of its container.

    Raises:
        OSError: a directory or file can't be written.
    """
    spec = pod["spec"]["containers"][0]
    termination_log = log_file(machine.state_dir, pod).with_suffix(".termination")
    termination_log.parent.mkdir(parents=True, exist_ok=True)
    termination_log.write_bytes(b"")
    mounts = _mount_volumes(machine, objects, pod, termination_log)
    port = _free_port()
    return Container(
        command=Command(
            arguments=[*spec.get("command", machine.entrypoint), *mounts.translate_all(spec.get("args", []))],
            env=_environment(machine, pod, mounts, port),
            log_file=log_file(machine.state_dir, pod),
            grace_seconds=pod["spec"].get("terminationGracePeriodSeconds", 30),
        ),
        port=port,
        termination_log=termination_log,
    )


def _mount_volumes(machine: Machine, objects: ObjectFiles, pod: Object, termination_log: Path) -> Mounts:
    """Directories for the pod's volumes.

    An emptyDir belongs to the run, not to the pod: the next attempt finds the downloads of the last one. A
    claim's is shared by all runs.
    """
    job_name = pod["metadata"]["labels"]["job-name"]
    container = pod["spec"]["containers"][0]
    mounted = {m["name"]: m for m in container.get("volumeMounts", [])}
    directories = {container.get("terminationMessagePath", TERMINATION_LOG): termination_log}
    config_maps: list[tuple[Object, Path]] = []
    for volume in pod["spec"].get("volumes", []):
        path = mounted[volume["name"]]["mountPath"] if volume["name"] in mounted else None
        if path is None or path in MACHINE_DIRECTORIES:
            continue
        directory = scratch_directory(machine.state_dir, job_name) / volume["name"]
        if claim := volume.get("persistentVolumeClaim"):
            directory = machine.state_dir / "claims" / claim["claimName"]
        if "configMap" in volume:
            directory = run_directory(machine.state_dir, job_name) / volume["name"]
            config_maps.append((volume["configMap"], directory))
        directory.mkdir(parents=True, exist_ok=True)
        directories[path] = directory
    mounts = Mounts(directories)
    for source, directory in config_maps:
        _write_config_map(objects, pod["metadata"]["namespace"], source, directory, mounts)
    return mounts


def _write_config_map(
    objects: ObjectFiles, namespace: str, source: Object, directory: Path, mounts: Mounts
) -> None:
    config_map = objects.get("ConfigMap", namespace, source["name"])
    assert config_map is not None, "a run's ConfigMap is applied before its Job"
    shutil.rmtree(directory)
    directory.mkdir()
    for name, text in config_map["data"].items():
        if name == CONFIG_FILE:
            config = mounts.translate_all(yaml.safe_load(text), USERS_PATHS)
            text = yaml.safe_dump(config, sort_keys=False)  # noqa: PLW2901 - the same text, translated
        (directory / name).write_text(text, encoding="utf-8")


def _environment(machine: Machine, pod: Object, mounts: Mounts, port: int) -> dict[str, str]:
    env = dict(machine.environment)
    for entry in pod["spec"]["containers"][0].get("env", []):
        name = entry["name"]
        if name in MACHINE_VARIABLES:
            continue
        if "value" in entry:
            env[name] = mounts.translate(entry["value"])
        elif "fieldRef" in entry["valueFrom"]:
            env[name] = _field(pod, entry["valueFrom"]["fieldRef"]["fieldPath"])
    set_secrets(env, pod, machine.secrets)
    # The log file is read by people.
    return env | {ENV_HTTP_PORT: str(port), ENV_LOG_FORMAT: "text", "PYTHONUNBUFFERED": "1"}


def set_secrets(env: dict[str, str], pod: Object, secrets: Mapping[str, Mapping[str, str]]) -> None:
    """Set the environment variables that a pod takes from Secrets.

    Args:
        env: the user's environment variables, which are changed.
        pod: the pod, or its template.
        secrets: values by the Secret's name, from the manifest file.
    """
    for entry in pod["spec"]["containers"][0].get("env", []):
        if "secretKeyRef" in entry.get("valueFrom", {}):
            _set_secret(env, entry["name"], entry["valueFrom"]["secretKeyRef"], secrets)


def _set_secret(
    env: dict[str, str], name: str, reference: Object, secrets: Mapping[str, Mapping[str, str]]
) -> None:
    """Set a variable from the Secret in the manifest file; without one, keep the user's environment."""
    if reference["name"] not in secrets:
        return
    value = secrets[reference["name"]].get(reference["key"])
    if value is None:
        # The user's own credentials must not mix with the Secret's.
        env.pop(name, None)
    else:
        env[name] = value


def _field(pod: Object, path: str) -> str:
    if path == "status.podIP":
        return "127.0.0.1"
    value: Any = pod
    for key in path.split("."):
        value = value[key]
    return str(value)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
