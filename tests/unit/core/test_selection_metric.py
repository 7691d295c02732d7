from finscribe_core.trainer_config import DocumentMetric, SelectionMetric


def test_checkpoints_are_chosen_by_the_loss_or_by_any_figure_of_documents():
    assert set(SelectionMetric) == {"eval_loss", *(f"eval_{metric}" for metric in DocumentMetric)}
