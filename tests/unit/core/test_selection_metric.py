from finscribe_core.trainer_config import DocumentMetric, SelectionMetric


def test_the_best_checkpoint_is_chosen_by_the_loss_or_by_any_document_metric():
    assert set(SelectionMetric) == {"eval_loss", *(f"eval_{metric}" for metric in DocumentMetric)}
