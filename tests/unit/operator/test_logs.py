"""The operator shows a defect with its traceback, and a connection that was closed without one."""

import asyncio
import logging

import pytest

from finscribe_operator.logs import log_loop_error

CLOSED = RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")
DEFECT = RuntimeError("a bug")


@pytest.mark.parametrize(("error", "level"), [(CLOSED, logging.INFO), (DEFECT, logging.ERROR)])
def test_only_a_defect_in_the_event_loop_is_logged_as_an_error(error, level, caplog):
    caplog.set_level(logging.INFO)
    loop = asyncio.new_event_loop()
    log_loop_error(loop, {"message": "Fatal error on SSL transport", "exception": error})
    loop.close()

    [record] = caplog.records
    assert record.levelno == level
    assert bool(record.exc_info) == (error is DEFECT)
