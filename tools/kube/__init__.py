"""Runs a real Kubernetes on this machine: an API server for tests, or a cluster of one node."""
