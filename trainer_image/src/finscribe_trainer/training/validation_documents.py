"""Reads a few validation documents at each evaluation of a training, always the same ones."""

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
    """The documents, and how they are read.

    Args:
        validation: every validation example.
        spec: how many are read, and how long an answer may be.
        family: the model's.
        batch_size: documents read at once.
        stop: once it says True, reading ends.
        features: what is kept of images.
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
        self.max_new_tokens = spec.max_new_tokens
        if self.max_new_tokens is None and self.examples:
            self.max_new_tokens = max_answer_tokens(family, self.examples)

    def read(
        self, model: PeftModel, doing: Callable[[str | None], None] = lambda _: None
    ) -> dict[DocumentMetric, float]:
        """The figures of the model as it is now; none without documents, and none after a stop.

        `doing` is told what is read, batch by batch.

        Figures that no document has (TEDS without a table) are left out.
        """
        if not self.examples or self.max_new_tokens is None:
            return {}
        generator = AnswerGenerator(
            model, self.family, self.max_new_tokens, self.batch_size, self.stop, self.features
        )
        scores = []
        doing("reading the first documents of an evaluation")
        for answer in generator.generate(self.examples):
            scores.append(score_document(self.examples[answer.index].row.completion, answer.text))
            doing(f"reading documents of an evaluation, {len(scores)} of {len(self.examples)} done")
        return {} if self.stop() else _figures(scores)

    def refuse_inapplicable(self, metric: SelectionMetric) -> None:
        """Find out before the training whether these documents can be judged by a metric.

        Raises:
            UserError: InvalidConfig.
        """
        if metric is SelectionMetric.eval_loss:
            return
        golds = [example.row.completion for example in self.examples]
        if metric.removeprefix("eval_") not in _figures([score_document(gold, gold) for gold in golds]):
            raise UserError(
                FailureReason.InvalidConfig,
                f"earlyStopping.metric {metric} applies to none of the {len(golds)} validation "
                "documents that are read at each evaluation.",
                "Raise evaluation.trainingDocuments, or choose another metric.",
            )


def _figures(scores: Sequence[DocumentScore]) -> dict[DocumentMetric, float]:
    figures = {}
    for metric in DocumentMetric:
        ratios = [score.metrics[metric] for score in scores if metric in score.metrics]
        if denominator := sum(ratio.denominator for ratio in ratios):
            figures[metric] = sum(ratio.numerator for ratio in ratios) / denominator
    return figures
