import pytest

from finscribe_trainer.storage import Storage
from tests.support.s3 import S3Server
from tests.support.storage import impatient_storage


@pytest.fixture
def bucket(s3_env: S3Server) -> str:
    return s3_env.create_bucket()


@pytest.fixture
def storage(s3_env: S3Server) -> Storage:
    return impatient_storage(s3_env.endpoint)
