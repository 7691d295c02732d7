"""Hugging Face's Trainer with logits for answer tokens only, and honest losses."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch.utils.data import DataLoader, Sampler
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from finscribe_core.trainer_config import LossSpec
from finscribe_trainer.batches.dataset import EncodedExamples, RowKey
from finscribe_trainer.batches.model_inputs import ModelInputs
from finscribe_trainer.batches.oom_retry import BatchSizeBackoff, slice_rows
from finscribe_trainer.distributed.processes import Processes
from finscribe_trainer.loss.answer_loss import answer_loss, total_weight
from finscribe_trainer.model.batch import Encoded
from finscribe_trainer.model.precision import will_skip_step
from finscribe_trainer.runtime.files import follow_umask
from finscribe_trainer.runtime.stop_signal import StopSignal, block_signals_in_worker, shut_down_workers
from finscribe_trainer.training.best_adapter import BestAdapter
from finscribe_trainer.training.checkpoints import incomplete
from finscribe_trainer.training.non_finite import non_finite, rows_with_odd_gradient, rows_with_odd_loss
from finscribe_trainer.training.resume import Continuation, evaluation_is_missing
from finscribe_trainer.training.sampler import DataOrder, EpochBegin, EpochSampler, EvenlyPaddedSampler
from finscribe_trainer.training.seeding import seed_batch
from finscribe_trainer.training.validation_documents import ValidationDocuments

BASE_PREFIX = "base_eval"


class AnswerTrainer(Trainer):
    """Trains an adapter on the answers.

    The loss of an optimizer step is the mean over all answer tokens of all its batches, weighted as `loss`
    says; the validation loss is the plain mean over all answer tokens of the set: neither depends on how rows
    fall into batches.
    """

    def __init__(  # noqa: PLR0913 - what a training consists of
        self,
        *,
        model: Any,
        args: TrainingArguments,
        collate: Callable[[Sequence[Encoded]], Encoded],
        model_inputs: ModelInputs,
        train: EncodedExamples,
        order: DataOrder,
        validation: EncodedExamples,
        callbacks: list[TrainerCallback],
        stop: StopSignal,
        best: BestAdapter,
        documents: ValidationDocuments,
        loss: LossSpec,
        processes: Processes,
        gathered: Callable[[], AbstractContextManager[None]] = nullcontext,
        before_save: Callable[[], None] = lambda: None,
        count_rows: Callable[[int], None] = lambda _: None,
        doing: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        super().__init__(
            model=model,
            args=args,
            data_collator=collate,
            train_dataset=train,
            eval_dataset=validation,
            callbacks=callbacks,
        )
        self.sampler = EpochSampler(order)
        self.continuation = Continuation()
        self.add_callback(EpochBegin(self.sampler))
        self.add_callback(self.continuation)
        self.remove_callback(PrinterCallback)
        self.remove_callback(ProgressCallback)
        self.model_inputs = model_inputs
        self.stop = stop
        self.best = best
        self.documents = documents
        self.loss = loss
        self.processes = processes
        self.gathered = gathered
        # Gradients are added up in `_clip_grad_norm`, and `answer_loss` says in which precision the model
        # computes: nothing is to be wrapped. (Wrapped for autocast, it would make all its logits float32.)
        self.accelerator.prepare_model = _as_it_is
        self.before_save = before_save
        self.count_rows = count_rows
        self.doing = doing
        alone = processes.world_size == 1
        self.rows_at_once = BatchSizeBackoff("training", "perDeviceTrainBatchSize", can_halve=alone)
        self.eval_rows_at_once = BatchSizeBackoff("evaluation", "perDeviceEvalBatchSize", can_halve=alone)
        self._step_batches: list[Encoded] = []
        self._step_tokens = 0
        self._batches_taken = 0
        self._step_losses: list[torch.Tensor] = []
        self._odd_rows: list[str] = []
        self._loaders: list[DataLoader[Encoded]] = []
        self.model_accepts_loss_kwargs = True  # compute_loss is given the number of tokens of the whole step
        self.loss_is_scaled_for_ga = True

    def _run_epoch(self, **given: Any) -> None:  # type: ignore[override] # HF names them all
        """As Hugging Face's; one that goes on from a checkpoint first makes up what a stop cut off."""
        if given["resume_from_checkpoint"] and given["epoch"] == given["epochs_trained"]:
            self._tr_loss += self.continuation.loss_since_log
            self._globalstep_last_logged = self.continuation.last_logged
            self.make_up_evaluation()
            if self.control.should_training_stop:
                return
        super()._run_epoch(**given)  # type: ignore[no-untyped-call] # HF's is untyped

    def make_up_evaluation(self) -> None:
        """Evaluate now, if a stop cut off the last step's evaluation; its checkpoint is there already."""
        if evaluation_is_missing(self.state, self.args):
            self._determine_best_metric(self.evaluate(), None)
            self.control.should_save = False

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> Any:
        """As Hugging Face's; the batches of the step are remembered."""
        self.doing(f"waiting for the rows of step {self.state.global_step + 1}")
        batches, weight = super().get_batch_samples(*args, **kwargs)
        self._step_batches, self._batches_taken, self._step_losses = batches, 0, []
        return batches, weight

    def training_step(self, model: Any, inputs: Encoded, *args: Any, **kwargs: Any) -> torch.Tensor:
        """One batch forward and backward, in parts where memory does not suffice; its rows are counted.

        Returns:
            the batch's share of the step's loss, times the processes: what is logged is their mean.

        Raises:
            UserError: InvalidConfig when memory does not suffice for a row.
        """
        step = self.state.global_step
        number = self._batches_taken * self.processes.world_size + self.processes.rank
        self._batches_taken += 1
        self.doing(f"batch {self._batches_taken} of step {step + 1}")
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        if not self.rows_at_once.can_halve:
            weights = []  # there is no second try
        before = [None if weight.grad is None else weight.grad.clone() for weight in weights]
        take = super().training_step

        def take_rows(rows: slice) -> torch.Tensor:
            seed_batch(self.args.seed, step, number, rows.start)
            return take(model, slice_rows(inputs, rows), *args, **kwargs)

        def undo() -> None:
            for weight, gradient in zip(weights, before, strict=True):
                weight.grad = None if gradient is None else gradient.clone()

        num_rows = len(inputs["labels"])
        losses = self.rows_at_once.work(num_rows, take_rows, undo)
        self.count_rows(num_rows)
        loss = torch.stack(losses).sum()
        self._step_losses.append(loss)
        return loss * self.processes.world_size

    def compute_loss(
        self,
        model: Any,
        inputs: Encoded,
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Summed loss over the answer tokens, divided by their weight in the whole optimizer step."""
        loss, weight = answer_loss(model, self.model_inputs(inputs), self.loss, self.accelerator.autocast)
        mean = loss / (weight if num_items_in_batch is None else num_items_in_batch)
        return (mean, None) if return_outputs else mean

    def _summed_loss(self, batch: Encoded) -> torch.Tensor:
        inputs = self.model_inputs(self._prepare_inputs(batch))
        return answer_loss(self.model, inputs, self.loss, self.accelerator.autocast)[0]

    def _probe(self, find_rows: Callable[[], list[str]]) -> list[str]:
        """The rows to blame; none where several processes would have to look together."""
        return find_rows() if self.processes.world_size == 1 else []

    def _get_num_items_in_batch(self, batch_samples: list[Encoded], device: torch.device) -> torch.Tensor:
        """The weight of the answer tokens of a whole optimizer step, in all processes; all its tokens are
        counted, too.
        """
        counts = [(total_weight(batch, self.loss), batch["attention_mask"].sum()) for batch in batch_samples]
        weights, tokens = zip(*counts, strict=True)
        weight, num_tokens = self.processes.sum(float(sum(weights)), float(sum(tokens)))
        self._step_tokens = int(num_tokens)
        return torch.tensor(weight, device=device)

    def _track_num_input_tokens(self, inputs: Encoded) -> None:
        """Nothing: a step's tokens are counted at once, not by a message between processes for each batch."""

    def _clip_grad_norm(self, model: Any) -> torch.Tensor:
        """Add up the gradients over the processes, then clip: the step is complete in each of them.

        Raises:
            UserError: NonFiniteLoss. Losses are looked at only here: to do so, one has to wait for the GPU.
        """
        self.processes.sum_gradients(model.parameters())
        norm: torch.Tensor = super()._clip_grad_norm(model)  # type: ignore[no-untyped-call] # HF's is untyped
        step, batches = self.state.global_step + 1, self._step_batches
        failure = None
        if not torch.isfinite(torch.stack(self._step_losses)).all():
            rows = self._probe(lambda: rows_with_odd_loss(batches, self._summed_loss))
            failure = non_finite("the training loss", step, rows)
        self.processes.raise_on_all(failure)
        if not math.isfinite(norm) and not will_skip_step(self.accelerator.scaler):
            rows = self._probe(lambda: rows_with_odd_gradient(model, batches, self._summed_loss))
            self.processes.raise_on_all(non_finite("the gradient", step, rows))  # it is the same in all
        self.state.num_input_tokens_seen += self._step_tokens
        return norm

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """As Hugging Face's, without the norm of a gradient that was skipped: JSON has no infinity."""
        if not math.isfinite(logs.get("grad_norm", 0.0)):
            logs.pop("grad_norm")
        super().log(logs, *args, **kwargs)

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """The mean loss over every answer token of the validation set, and the figures of documents read.

        A stop asked for meanwhile ends it early, with an infinite loss that is neither logged nor ever the
        best; the training loop then saves and stops.

        Raises:
            UserError: NonFiniteLoss.
        """
        key = f"{metric_key_prefix}_loss"
        with self.gathered():
            total, tokens = self.processes.sum(*self._sum_losses(self.get_eval_dataloader(eval_dataset)))
            self.doing(None)  # the other processes wait while the first reads, however long that takes
            figures = self.processes.broadcast_from_main(
                lambda: self.documents.read(self._adapted_model(), self.doing)
            )
        self.doing(None)
        if self.processes.any(self.stop.requested.is_set()):
            self.stop.requested.set()
            self.control.should_evaluate = False
            self.control.should_save = self.control.should_training_stop = True
            return {key: math.inf}
        loss = total / tokens
        if not math.isfinite(loss):
            self.processes.raise_on_all(
                non_finite("the validation loss", self.state.global_step, self._odd_rows)
            )
        metrics = {key: loss, **{f"{metric_key_prefix}_{name}": share for name, share in figures.items()}}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    @torch.no_grad()
    def _sum_losses(self, batches: Any) -> tuple[float, int]:
        self._adapted_model().eval()
        total, tokens = 0.0, 0
        self.doing(f"waiting for the rows of the evaluation at step {self.state.global_step}")
        for number, batch in enumerate(batches, start=1):
            if self.stop.requested.is_set():
                break
            self.doing(f"batch {number} of the evaluation at step {self.state.global_step}")
            measure = partial(self._measure, batch)
            for loss, count in self.eval_rows_at_once.work(len(batch["labels"]), measure):
                total += loss
                tokens += count
            if not math.isfinite(total):
                self._odd_rows = self._probe(partial(rows_with_odd_loss, [batch], self._summed_loss))
                break
            self.control = self.callback_handler.on_prediction_step(self.args, self.state, self.control)
        return total, tokens

    def _measure(self, batch: Encoded, rows: slice) -> tuple[float, int]:
        """The summed loss of some rows of a batch, and their answer tokens."""
        inputs = self.model_inputs(self._prepare_inputs(slice_rows(batch, rows)))
        loss, count = answer_loss(self._adapted_model(), inputs, precision=self.accelerator.autocast)
        return float(loss), int(count)

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        if not math.isfinite(metrics["eval_loss"]):  # cut off by a stop: not even the first one is the best
            return False
        is_best = super()._determine_best_metric(metrics, trial)
        if is_best:
            self.best.take(self._adapted_model())
        return is_best

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        self.doing(None)  # an upload is waited for, which has time limits of its own
        self.processes.broadcast_from_main(self.before_save)
        if self.processes.is_main and self.args.output_dir:
            incomplete(Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}")
        losses = self.processes.sum(float(self._tr_loss))[0]
        self.continuation.loss_since_log = losses / self.processes.world_size
        self.continuation.last_logged = self._globalstep_last_logged
        super()._save_checkpoint(model, trial)

    def _save_rng_state(self, output_dir: str) -> None:
        super()._save_rng_state(output_dir)
        self.processes.barrier()  # the state that says "complete" comes next, written by the first alone

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """The adapter and the best one; no pickled arguments, which nobody reads."""
        assert output_dir is not None
        if not self.processes.is_main:
            return
        folder = Path(output_dir)
        self._adapted_model().save_pretrained(str(folder), safe_serialization=True)
        self.best.save(folder)
        follow_umask(folder)

    def _adapted_model(self) -> PeftModel:
        assert isinstance(self.model, PeftModel)
        return self.model

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[RowKey]:
        return self._in_even_shares(self.sampler, self.args.train_batch_size)

    def _get_eval_sampler(self, eval_dataset: Any) -> Sampler[RowKey]:
        rows = [RowKey(index, 0) for index in range(len(eval_dataset))]
        return self._in_even_shares(rows, self.args.eval_batch_size)

    def _in_even_shares(self, rows: EpochSampler | list[RowKey], batch_size: int) -> EvenlyPaddedSampler:
        processes = self.processes.world_size
        return EvenlyPaddedSampler(rows, batch_size * processes if processes > 1 else 1)

    def _get_dataloader(self, *args: Any, **kwargs: Any) -> Any:
        loader = super()._get_dataloader(*args, **kwargs)
        inner = getattr(loader, "base_dataloader", loader)
        inner.worker_init_fn = block_signals_in_worker
        self._loaders.append(inner)
        return loader

    def shut_down_workers(self) -> None:
        """End the data workers, which stay from epoch to epoch."""
        for loader in self._loaders:
            shut_down_workers(loader)


def _as_it_is(model: Any, **_: Any) -> Any:
    return model
