"""Whatever an endpoint answers, a transfer ends as a user error or a retryable error, never as a defect."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import botocore.endpoint
import pytest

from finscribe_core.constants import EXIT_INTERNAL
from finscribe_core.report import RunResult
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.pipeline.data_state import report_data_state
from finscribe_trainer.pipeline.outcome import run_and_report
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.storage import Storage
from finscribe_trainer.storage import bucket as bucket_module
from finscribe_trainer.storage.download import PIECE_SIZE
from tests.support.hostile_server import Answer, hostile_server
from tests.support.storage import storage_without_delays

DATE = "Wed, 01 Jul 2026 00:00:00 GMT"
OBJECT = {"ETag": '"5d41402abc4b2a76b9719d911017c592"', "Last-Modified": DATE}
HELLO = {**OBJECT, "Content-Range": "bytes 0-4/5"}
"""Headers of an object with the content "hello"."""


def redirect(status: int, location: str | None = "http://127.0.0.1:9/elsewhere", code: str = "") -> Answer:
    body = f"<Error><Code>{code}</Code><Endpoint>elsewhere</Endpoint></Error>".encode() if code else b""
    return Answer(status, body, {"Location": location})


def listing(*keys: str, token: str = "") -> Answer:
    contents = "".join(f"<Contents><Key>{key}</Key><Size>5</Size></Contents>" for key in keys)
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
    return Answer(body=f"<ListBucketResult>{contents}{more if token else ''}</ListBucketResult>".encode())


ANSWERS: dict[str, Answer] = {
    **{f"redirect {status}": redirect(status) for status in (301, 302, 303, 307, 308)},
    "redirect without a location": redirect(307, None),
    "redirect to another region": redirect(301, code="PermanentRedirect"),
    "temporary redirect of S3": redirect(307, code="TemporaryRedirect"),
    "redirect with a region that is no name": Answer(301, b"", {"x-amz-bucket-region": "no/such region"}),
    "region of the signature is wrong": Answer(
        400, b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>e\xc3\xa9</Region></Error>"
    ),
    "illegal location constraint": Answer(
        400, b"<Error><Code>IllegalLocationConstraintException</Code></Error>"
    ),
    **{f"status {status}": Answer(status) for status in (304, 400, 402, 405, 409, 411, 412, 416, 418, 451)},
    **{f"status {status}": Answer(status) for status in (429, 499, 500, 501, 503, 505, 599, 999)},
    "status 204": Answer(204),
    "an empty response": Answer(),
    "a login page": Answer(body=b"<html><body>Log in</body>", headers={"Content-Type": "text/html"}),
    "an HTML error page": Answer(502, b"<html><body>Bad gateway<br></body></html>"),
    "text": Answer(body=b"hello"),
    "bytes that are no text": Answer(body=b"\xff\xfe\x00<" * 9),
    "an unclosed element": Answer(body=b"<ListBucketResult><Contents>"),
    "an error in a response of status 200": Answer(body=b"<Error><Code>InternalError</Code></Error>"),
    "over-nested XML": Answer(body=b"<a>" * 10_000),
    "over-nested JSON": Answer(body=b'{"a":' * 100_000, headers=OBJECT),
    "over-nested closed JSON": Answer(body=b"[" * 100_000 + b"]" * 100_000, headers=OBJECT),
    "JSON with a number of 5000 digits": Answer(body=b'{"a": ' + b"9" * 5000 + b"}", headers=OBJECT),
    "no ETag": Answer(206, b"hello", {"Last-Modified": DATE, "Content-Range": "bytes 0-4/5"}),
    "no Last-Modified": Answer(206, b"hello", {**HELLO, "Last-Modified": None}),
    "a Last-Modified that is no date": Answer(206, b"hello", {**HELLO, "Last-Modified": "yesterday"}),
    "a Last-Modified after the year 9999": Answer(
        206, b"hello", {**HELLO, "Last-Modified": "Wed, 01 Jul 99999 00:00:00 GMT"}
    ),
    "no Content-Range": Answer(206, b"hello", OBJECT),
    "no Content-Length": Answer(206, b"hello", {**HELLO, "Content-Length": None}),
    "a range without a total": Answer(206, b"hello", {**OBJECT, "Content-Range": "bytes 0-4/*"}),
    "a range that is no range": Answer(206, b"hello", {**OBJECT, "Content-Range": "all of it"}),
    "a negative total": Answer(206, b"hello", {**OBJECT, "Content-Range": "bytes 0-4/-5"}),
    "another range": Answer(206, b"hello", {**OBJECT, "Content-Range": "bytes 7-11/12"}),
    "a total of an exabyte": Answer(206, b"hello", {**OBJECT, "Content-Range": f"bytes 0-4/{10**18}"}),
    "a total of 40 digits": Answer(206, b"hello", {**OBJECT, "Content-Range": f"bytes 0-4/{10**40}"}),
    "a total of 5000 digits": Answer(206, b"hello", {**OBJECT, "Content-Range": f"bytes 0-4/{'9' * 5000}"}),
    "a larger total than the body": Answer(206, b"hello", {**OBJECT, "Content-Range": "bytes 0-4/500"}),
    "a body longer than announced": Answer(206, b"hello" * 100, {**HELLO, "Content-Length": "5"}),
    "a body shorter than announced": Answer(206, b"hel", {**HELLO, "Content-Length": "5"}),
    "a Content-Length that is no number": Answer(206, b"hello", {**HELLO, "Content-Length": "five"}),
    "a negative Content-Length": Answer(206, b"hello", {**HELLO, "Content-Length": "-5"}),
    "a Content-Encoding that is none": Answer(206, b"hello", {**HELLO, "Content-Encoding": "gzip"}),
    "chunks without an end": Answer(
        206, b"5\r\nhello", {**HELLO, "Content-Length": None, "Transfer-Encoding": "chunked"}
    ),
    "chunks without a size": Answer(
        206, b"zz\r\nhello\r\n", {**HELLO, "Content-Length": None, "Transfer-Encoding": "chunked"}
    ),
    "another MD5 than the ETag": Answer(206, b"world", HELLO),
    "another MD5 than the ETag of parts": Answer(206, b"hello", {**HELLO, "ETag": f'"{"0" * 32}-2"'}),
    "200 headers": Answer(206, b"hello", {**HELLO, **{f"X-{n}": "x" for n in range(200)}}),
    "a header of 100 kB": Answer(206, b"hello", {**HELLO, "X-Long": "x" * 100_000}),
    "no HTTP": Answer(raw=b"SSH-2.0-OpenSSH_9.6\r\n"),
    "a status that is no number": Answer(raw=b"HTTP/1.1 fine\r\n\r\n"),
    "a header that is none": Answer(raw=b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
    "an end before the status": Answer(raw=b""),
    "a listing without keys": Answer(
        body=b"<ListBucketResult><Contents><Size>5</Size></Contents></ListBucketResult>"
    ),
    "a listing with the same token for ever": listing(token="again"),
    "a key that is longer than a file name": listing(f"p/{'k' * 300}"),
    "a key with a folder longer than a file name": listing(f"p/{'k' * 300}/a"),
    "a key beside a key below it": listing("p/a", "p/a/b"),
    "keys that are one path": listing("p/a/b", "p/a//b"),
    "a key that leads outside": listing("p/../../evil"),
    "rows without an ETag": listing("p/a.jsonl"),
    "a key with a size that is no number": Answer(
        body=b"<ListBucketResult><Contents><Key>p/a</Key><Size>x</Size></Contents></ListBucketResult>"
    ),
}

BIG = "big.bin"


def publish(storage: Storage, folder: Path) -> object:
    out = folder / "out"
    out.mkdir()
    (out / "small").write_bytes(b"hello")
    with (out / BIG).open("wb") as file:
        file.truncate(PIECE_SIZE + 1)
    return storage.publish_run(out, "s3://bucket/p")


ROWS, ROWS_BELOW = (TrainerConfig(dataset_path=f"s3://bucket/p/{name}") for name in ("a.jsonl", ""))
OPERATIONS: dict[str, Callable[[Storage, Path], object]] = {
    "fetch a file": lambda s, d: s.fetch_file("s3://bucket/p/a", d / "a"),
    "fetch a prefix": lambda s, d: s.fetch_prefix("s3://bucket/p", d / "in"),
    "fetch objects": lambda s, d: s.fetch_objects([("s3://bucket/a", d / "a")], skip_missing=True),
    "count rows": lambda s, d: report_data_state(ROWS, s),
    "count the rows of a prefix": lambda s, d: report_data_state(ROWS_BELOW, s),
    "names": lambda s, d: s.names("s3://bucket/p"),
    "exists": lambda s, d: s.exists("s3://bucket/p"),
    "read JSON": lambda s, d: s.read_json("s3://bucket/p/latest.json"),
    "the last checkpoint": lambda s, d: s.fetch_last_checkpoint("s3://bucket/p", d),
    "publish": publish,
    "check writable": lambda s, d: s.check_writable("s3://bucket/p"),
}


class Outcome(RunReporter):
    """A reporter that keeps the result instead of writing it."""

    result: RunResult | None = None

    def write_termination(self, result: RunResult) -> None:
        self.result = result


def outcome(operation: Callable[[], object]) -> tuple[int, RunResult | None]:
    """Exit code and result of a run that does nothing else."""
    reporter = Outcome()

    def work() -> None:
        operation()

    return run_and_report(work, reporter), reporter.result


@pytest.mark.parametrize("name", ANSWERS)
def test_no_answer_of_an_endpoint_ends_as_a_defect(name, s3_env, monkeypatch, tmp_path):
    monkeypatch.setattr(bucket_module, "MAX_PAGES", 20)
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda seconds: None))
    defects = {}
    with hostile_server(ANSWERS[name]) as server:
        storage = storage_without_delays(server.endpoint)
        for operation, do in OPERATIONS.items():
            (folder := tmp_path / operation).mkdir()
            code, result = outcome(lambda do=do, storage=storage, folder=folder: do(storage, folder))
            if code == EXIT_INTERNAL:
                defects[operation] = result.message
            elif code:
                assert result.reason and len(result.message) > 20, (operation, result)
    assert not defects
