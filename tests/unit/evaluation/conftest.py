import pytest

from finscribe_trainer.data.dataset import Dataset, Example


@pytest.fixture(scope="session")
def examples(dataset: Dataset) -> list[Example]:
    """Five training rows, one of them without image."""
    return dataset.examples[:5]
