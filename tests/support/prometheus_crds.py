"""Finds the CRDs of the Prometheus operator, which are files of its Go module."""

from pathlib import Path

from tools.kube.golang import find_go, find_module

_MODULE = ("github.com/prometheus-operator/prometheus-operator", "v0.85.0")
_KINDS = ("podmonitors", "prometheusrules")


def prometheus_crds() -> list[Path]:
    """Files with the definitions of the kinds that the chart can create."""
    folder = find_module(find_go(), *_MODULE) / "example" / "prometheus-operator-crd"
    return [next(folder.glob(f"*_{kind}.yaml")) for kind in _KINDS]
