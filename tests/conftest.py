"""Fixtures every test may use."""

from tests.support.s3 import s3_env, s3_server

__all__ = ["s3_env", "s3_server"]
