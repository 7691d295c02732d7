"""Inference and metrics on a few validation documents, the same ones at each evaluation of a training."""

from collections.abc import Callable, Sequence

from peft import PeftModel

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import DocumentMetric, EvaluationSpec, SelectionMetric
from finscribe_trainer.batches.features.cache import FeatureCache
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.evaluation.generation import AnswerGenerator, max_answer_tokens
from finscribe_trainer.evaluation.sampling import sample_evenly
from finscribe_trainer.metrics.score import DocumentScore, score_document
from finscribe_trainer.model.families.base import Family


class ValidationDocuments:
    """A fixed sample of the validation documents, and the settings of inference on them.

    Args:
        validation: every validation example.
        spec: how many documents, and how long an answer may be.
        family: the model's.
        batch_size: documents per batch.
        stop: inference ends when it returns True.
        features: cached image features.
    """

    def __init__(
        self,
        validation: Sequence[Example],
        spec: EvaluationSpec,
        family: Family,
        batch_size: int,
        stop: Callable[[], bool],
        features: FeatureCache | None = None,
    ) -> None:
        self.examples = sample_evenly(validation, spec.training_documents)
        self.family = family
        self.batch_size = batch_size
        self.stop = stop
        self.features = features
        self.record_answer: Callable[[float], None] = lambda _: None
        """Called with the seconds that each answer took."""
        self.max_new_tokens = spec.max_new_tokens
        if self.max_new_tokens is None and self.examples:
            self.max_new_tokens = max_answer_tokens(family, self.examples)

    def read(
        self, model: PeftModel, set_activity: Callable[[str | None], None] = lambda _: None
    ) -> dict[DocumentMetric, float]:
        """The metrics of the model in its current state; empty without documents, and after a stop.

        Metrics that apply to no document (TEDS without a table) are absent.

        Args:
            model: with its adapter.
            set_activity: called with the current activity at each batch.
        """
        if not self.examples or self.max_new_tokens is None:
            return {}
        generator = AnswerGenerator(
            model, self.family, self.max_new_tokens, self.batch_size, self.stop, self.features
        )
        scores = []
        set_activity("generating answers for the first documents of an evaluation")
        for answer in generator.generate(self.examples):
            self.record_answer(answer.seconds)
            scores.append(score_document(self.examples[answer.index].row.completion, answer.text))
            set_activity(f"generating answers, {len(scores)} of {len(self.examples)} documents done")
        return {} if self.stop() else _metrics(scores)

    def refuse_inapplicable(self, metric: SelectionMetric) -> None:
        """Check before the training that a metric applies to any of these documents.

        Raises:
            UserError: InvalidConfig.
        """
        if metric is SelectionMetric.eval_loss:
            return
        truths = [example.row.completion for example in self.examples]
        if metric.removeprefix("eval_") not in _metrics([score_document(truth, truth) for truth in truths]):
            raise UserError(
                FailureReason.InvalidConfig,
                f"early_stopping.metric {metric} applies to none of the {len(truths)} validation "
                "documents of each evaluation.",
                "Raise evaluation.training_documents, or choose another metric.",
            )


def _metrics(scores: Sequence[DocumentScore]) -> dict[DocumentMetric, float]:
    metrics = {}
    for metric in DocumentMetric:
        ratios = [score.metrics[metric] for score in scores if metric in score.metrics]
        if denominator := sum(ratio.denominator for ratio in ratios):
            metrics[metric] = sum(ratio.numerator for ratio in ratios) / denominator
    return metrics
