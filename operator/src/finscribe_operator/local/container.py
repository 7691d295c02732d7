"""From a pod's template to a command of this machine: volumes, environment, arguments."""

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
"""What the trainer image runs."""
MACHINE_DIRECTORIES = ("/tmp", "/dev/shm")  # noqa: S108 - no file is made there; they are left as they are
"""Mounted for pods because a container lacks them; this machine has its own."""
MACHINE_VARIABLES = ("HOME", "HF_HOME", "TMPDIR")
"""Set for pods because a container's file system is read-only; the user has a home and caches."""
USERS_PATHS = frozenset({"model_name_or_path"})
"""The config's keys whose absolute path the user wrote, and means on this machine."""


@dataclass(frozen=True)
class Machine:
    """What containers are made from here."""

    state_dir: Path
    environment: Mapping[str, str]
    """The user's environment variables, which the process inherits."""
    secrets: Mapping[str, Mapping[str, str]]
    """Values by the Secret's name; they go to the process's environment and nowhere else."""
    entrypoint: tuple[str, ...] = ENTRYPOINT


@dataclass(frozen=True)
class Container:
    """A container that can be started."""

    command: Command
    port: int
    """Where it serves HTTP, on 127.0.0.1."""
    termination_log: Path


def run_directory(state_dir: Path, job_name: str) -> Path:
    """Where a run's volumes and logs are."""
    return state_dir / "runs" / job_name


def scratch_directory(state_dir: Path, job_name: str) -> Path:
    """The run's emptyDir volumes."""
    return run_directory(state_dir, job_name) / "volumes"


def log_file(state_dir: Path, pod: Object) -> Path:
    """A pod's log."""
    job_name = pod["metadata"]["labels"]["job-name"]
    return run_directory(state_dir, job_name) / f"{pod['metadata']['name']}.log"


def build_container(machine: Machine, objects: ObjectFiles, pod: Object) -> Container:
    """Make the pod's directories and files, and the command that stands for its container.

    Raises:
        OSError: no room, or no right to write.
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

    An emptyDir is the run's here, not the pod's: nothing evicts a process from its own disk, so the next
    attempt finds the downloads of the last one.
    """
    job_name = pod["metadata"]["labels"]["job-name"]
    container = pod["spec"]["containers"][0]
    mounted = {m["name"]: m for m in container.get("volumeMounts", [])}
    places = {container.get("terminationMessagePath", TERMINATION_LOG): termination_log}
    config_maps: list[tuple[Object, Path]] = []
    for volume in pod["spec"].get("volumes", []):
        path = mounted[volume["name"]]["mountPath"] if volume["name"] in mounted else None
        if path is None or path in MACHINE_DIRECTORIES:
            continue
        place = scratch_directory(machine.state_dir, job_name) / volume["name"]
        if "configMap" in volume:
            place = run_directory(machine.state_dir, job_name) / volume["name"]
            config_maps.append((volume["configMap"], place))
        place.mkdir(parents=True, exist_ok=True)
        places[path] = place
    mounts = Mounts(places)
    for source, place in config_maps:
        _write_config_map(objects, pod["metadata"]["namespace"], source, place, mounts)
    return mounts


def _write_config_map(
    objects: ObjectFiles, namespace: str, source: Object, place: Path, mounts: Mounts
) -> None:
    config_map = objects.get("ConfigMap", namespace, source["name"])
    assert config_map is not None, "a run's ConfigMap is applied before its Job"
    shutil.rmtree(place)
    place.mkdir()
    for name, text in config_map["data"].items():
        if name == CONFIG_FILE:
            config = mounts.translate_all(yaml.safe_load(text), USERS_PATHS)
            text = yaml.safe_dump(config, sort_keys=False)  # noqa: PLW2901 - the same text, translated
        (place / name).write_text(text, encoding="utf-8")


def _environment(machine: Machine, pod: Object, mounts: Mounts, port: int) -> dict[str, str]:
    env = dict(machine.environment)
    for entry in pod["spec"]["containers"][0].get("env", []):
        name = entry["name"]
        if name in MACHINE_VARIABLES:
            continue
        if "value" in entry:
            env[name] = mounts.translate(entry["value"])
        elif "secretKeyRef" in entry["valueFrom"]:
            _set_secret(env, name, entry["valueFrom"]["secretKeyRef"], machine.secrets)
        else:
            env[name] = _field(pod, entry["valueFrom"]["fieldRef"]["fieldPath"])
    # The log file is for a person to read.
    return env | {ENV_HTTP_PORT: str(port), ENV_LOG_FORMAT: "text", "PYTHONUNBUFFERED": "1"}


def _set_secret(
    env: dict[str, str], name: str, reference: Object, secrets: Mapping[str, Mapping[str, str]]
) -> None:
    """From the file's Secret; without one in the file, the user's own environment stays as it is."""
    if reference["name"] not in secrets:
        return
    value = secrets[reference["name"]].get(reference["key"])
    if value is None:
        # Half of the user's own credentials must not mix with the Secret's.
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
