"""Developers' tools; nothing of it is installed."""
