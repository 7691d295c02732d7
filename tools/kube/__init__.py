"""A real Kubernetes on this machine, built from source: an API server for tests, a cluster of one node."""
