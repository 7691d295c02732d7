import pytest
import torch

from finscribe_trainer.evaluation import after_training


class OnAGpuThatHolds:
    """Stands for `evaluate` on a GPU, whose memory alone can't be had here."""

    def __init__(self, documents: int) -> None:
        self.documents = documents
        self.asked: list[int] = []

    def __call__(self, loaded: object, test_set: object, settings: object, batch_size: int) -> str:
        self.asked.append(batch_size)
        if batch_size > self.documents:
            raise torch.OutOfMemoryError
        return "results"


def test_documents_that_do_not_fit_are_read_fewer_at_once(monkeypatch):
    evaluate = OnAGpuThatHolds(2)
    monkeypatch.setattr(after_training, "evaluate", evaluate)

    assert after_training._read(None, None, None, 8) == ("results", 2)
    assert evaluate.asked == [8, 4, 2]


def test_a_document_that_does_not_fit_alone_is_the_end(monkeypatch):
    monkeypatch.setattr(after_training, "evaluate", OnAGpuThatHolds(0))

    with pytest.raises(torch.OutOfMemoryError):
        after_training._read(None, None, None, 2)
