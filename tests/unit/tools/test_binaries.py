"""Programs are looked up in KUBEBUILDER_ASSETS, on the PATH and in the cache before they are built."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.kube import binaries
from tools.kube.__main__ import main
from tools.kube.binaries import locate, provide
from tools.kube.catalogue import TOOLS

VERSION_TEXTS = {
    "etcd": "etcd Version: 3.6.1\nGit SHA: a1b2c3d\nGo Version: go1.24.3",
    "kube-apiserver": "Kubernetes v1.36.0",
    "kubectl": "Client Version: v1.36.9\nKustomize Version: v5.8.1",
    "helm": "v3.22.4+g8b5f2c1",
    "coredns": "CoreDNS-1.15.2\nlinux/amd64, go1.26.1",
    "versitygw": "Version  : v1.8.3\nBuild    : a1b2c3d",
}
"""What releases of these programs print, with suitable versions."""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """With an empty cache, an empty KUBEBUILDER_ASSETS and a PATH of one folder before the system's."""
    binaries._is_suitable.cache_clear()
    for name in ("assets", "path", "cache"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def built(monkeypatch) -> list[str]:
    """Names of the tools that were built; the compiler is replaced by one that writes a script."""
    names: list[str] = []

    def build(tool, _, scratch):
        names.append(tool.name)
        return executable(scratch / tool.name, "echo built")

    monkeypatch.setattr(binaries, "find_go", lambda: Path("go"))
    monkeypatch.setattr(binaries, "build", build)
    return names


def executable(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def prints(path: Path, text: str, arguments: str = "--version") -> Path:
    """A program that prints its version when called with these arguments alone."""
    return executable(path, f"[ \"$*\" = '{arguments}' ] && printf '%s\\n' '{text}'")


@pytest.mark.parametrize(("name", "text"), VERSION_TEXTS.items())
def test_a_program_of_the_needed_minor_version_on_the_path_is_used(name, text, folder, built):
    path = prints(folder / "path" / name, text, " ".join(TOOLS[name].version_arguments))
    assert provide([name]) == {name: path}
    assert locate(name).source == "PATH"
    assert built == []


def test_kubebuilder_assets_precedes_the_path(folder, built):
    prints(folder / "path" / "etcd", VERSION_TEXTS["etcd"])
    path = prints(folder / "assets" / "etcd", VERSION_TEXTS["etcd"])
    found = locate("etcd")
    assert (found.path, found.source) == (path, "KUBEBUILDER_ASSETS")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("etcd Version: 3.5.21", "its version is 3.5.21, needed is 3.6"),
        ("etcd Version: 3.60.0", "its version is 3.60.0, needed is 3.6"),
        ("no version", "it shows no version, needed is 3.6"),
    ],
)
def test_a_program_of_another_version_is_skipped_with_a_message(text, reason, folder, built, capsys):
    unsuitable = prints(folder / "path" / "etcd", text)
    locate("etcd")
    locate("etcd")
    assert built == ["etcd"]
    assert capsys.readouterr().err.count(f"skipping {unsuitable}: {reason}") == 1


def test_a_file_that_is_no_program_is_skipped_with_a_message(folder, built, capsys):
    (folder / "path" / "etcd").write_bytes(b"\x7fELF of another machine")
    (folder / "path" / "etcd").chmod(0o755)
    assert locate("etcd").source == "built"
    assert "it can't be run" in capsys.readouterr().err


def test_a_program_that_is_missing_is_built_once_and_found_in_the_cache_afterwards(folder, built):
    first, second = locate("coredns"), locate("coredns")
    assert (first.source, second.source) == ("built", "cache")
    assert first.path == second.path
    assert first.path.is_relative_to(folder / "cache" / "finscribe" / "bin")
    assert built == ["coredns"]


def test_a_program_of_this_repository_is_not_looked_for_on_the_path_and_built_again_when_it_changes(
    folder, built, monkeypatch
):
    prints(folder / "path" / "kstatus", "0.37.2")
    first, source = locate("kstatus"), folder / "main.go"
    source.write_text("package main")
    monkeypatch.setitem(TOOLS, "kstatus", replace(TOOLS["kstatus"], source=source))
    second = locate("kstatus")
    assert [first.source, second.source] == ["built", "built"]
    assert first.path != second.path


def test_the_command_prints_where_each_program_comes_from(folder, built):
    in_assets = prints(folder / "assets" / "kube-apiserver", VERSION_TEXTS["kube-apiserver"])
    on_path = prints(folder / "path" / "etcd", VERSION_TEXTS["etcd"])
    shown = CliRunner().invoke(
        main, ["binaries", "etcd", "kube-apiserver", "coredns"], catch_exceptions=False
    )
    assert [line.split("\t") for line in shown.stdout.splitlines()] == [
        ["etcd", str(on_path), "PATH"],
        ["kube-apiserver", str(in_assets), "KUBEBUILDER_ASSETS"],
        ["coredns", str(provide(["coredns"])["coredns"]), "built"],
    ]
