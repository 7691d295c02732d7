"""Hugging Face's Trainer with logits for answer tokens only, and losses averaged per answer token."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file
from torch.nn.utils import get_total_norm
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainerState, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback
from transformers.trainer_utils import speed_metrics

from finscribe_core.trainer_config import LossSpec
from finscribe_trainer.batches.dataset import EncodedExamples, RowKey
from finscribe_trainer.batches.model_inputs import ModelInputs
from finscribe_trainer.batches.oom_retry import BatchSizeBackoff, slice_rows
from finscribe_trainer.distributed.processes import Processes
from finscribe_trainer.loss.answer_loss import answer_loss, total_weight
from finscribe_trainer.model.adapter import save_adapter
from finscribe_trainer.model.batch import Encoded
from finscribe_trainer.model.precision import will_skip_step
from finscribe_trainer.runtime.files import follow_umask
from finscribe_trainer.runtime.shared_memory import affordable_workers, prepare_worker
from finscribe_trainer.runtime.stop_signal import StopSignal, shut_down_workers
from finscribe_trainer.training.best_adapter import BestAdapter
from finscribe_trainer.training.checkpoints import ADAPTER_FILE, STATE_FILE, mark_incomplete
from finscribe_trainer.training.non_finite import (
    non_finite_error,
    rows_with_non_finite_gradient,
    rows_with_non_finite_loss,
)
from finscribe_trainer.training.resume import ResumeState
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
        set_activity: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self.sampler = EpochSampler(order)
        self.resume_state = ResumeState()
        self.best = best
        super().__init__(
            model=model,
            args=args,
            data_collator=collate,
            train_dataset=train,
            eval_dataset=validation,
            callbacks=[EpochBegin(self.sampler), self.resume_state, best, *callbacks],
        )
        self.remove_callback(PrinterCallback)
        self.remove_callback(ProgressCallback)
        self.model_inputs = model_inputs
        self.stop = stop
        self.documents = documents
        self.loss = loss
        self.processes = processes
        self.gathered = gathered
        # `_complete_step` sums the gradients over the processes, and `answer_loss` chooses the precision:
        # the model needs no wrapper. (accelerate's autocast wrapper would make all its logits float32.)
        self.accelerator.prepare_model = _unwrapped
        self.before_save = before_save
        self.count_rows = count_rows
        self.set_activity = set_activity
        self.fail = processes.raise_on_all
        """Called in every process with the error of a loss or gradient that is NaN or infinite, or None."""
        alone = processes.world_size == 1
        self.train_backoff = BatchSizeBackoff("training", "per_device_train_batch_size", can_halve=alone)
        self.eval_backoff = BatchSizeBackoff("evaluation", "per_device_eval_batch_size", can_halve=alone)
        self.step_batches: list[Encoded] = []
        self.step_losses: list[torch.Tensor] = []
        self.step_tokens = 0
        self.tokens_since_start = 0
        self.non_finite_rows: list[str] = []
        self.loaders: list[DataLoader[Encoded]] = []
        self.eval_loader: DataLoader[Encoded] | None = None
        self.loss_is_scaled_for_ga = True  # compute_loss divides by the tokens of the whole step

    # Data

    def get_train_dataloader(self) -> DataLoader[Encoded]:
        """The training rows in the order of `sampler`; this process gets its share of the batches."""
        return self._make_loader(self.train_dataset, self.sampler, self.args.train_batch_size)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader[Encoded]:
        """The validation rows in their order; this process gets its share of the batches."""
        assert eval_dataset is None, "only the validation set is evaluated"
        if self.eval_loader is None:  # made once: its workers stay from one evaluation to the next
            validation: Any = self.eval_dataset
            rows = [RowKey(index, 0) for index in range(len(validation))]
            self.eval_loader = self._make_loader(validation, rows, self.args.eval_batch_size)
        return self.eval_loader

    def _make_loader(
        self, dataset: Any, rows: EpochSampler | list[RowKey], batch_size: int
    ) -> DataLoader[Encoded]:
        processes = self.processes.world_size
        num_workers = self._num_workers(dataset, batch_size)
        loader: DataLoader[Encoded] = self.accelerator.prepare(
            DataLoader(
                dataset,
                batch_size=batch_size,
                sampler=EvenlyPaddedSampler(rows, batch_size * processes if processes > 1 else 1),
                collate_fn=self.data_collator,
                num_workers=num_workers,
                pin_memory=self.args.dataloader_pin_memory,
                persistent_workers=num_workers > 0,
                worker_init_fn=prepare_worker,
            )
        )
        self.loaders.append(getattr(loader, "base_dataloader", loader))
        return loader

    def _num_workers(self, dataset: Any, batch_size: int) -> int:
        wanted = self.args.dataloader_num_workers
        if wanted == 0 or len(dataset) == 0:
            return 0
        in_use = self.args.gradient_accumulation_steps  # a step's batches are loaded before its first one
        return affordable_workers(wanted, batch_size * dataset.largest_size(), in_use)

    def shut_down_workers(self) -> None:
        """Shut down the data workers, which stay from epoch to epoch."""
        for loader in self.loaders:
            shut_down_workers(loader)

    # An optimizer step

    def get_batch_samples(
        self, epoch_iterator: Iterator[Encoded], num_batches: int, device: torch.device
    ) -> tuple[list[Encoded], torch.Tensor]:
        """The batches of the next optimizer step, and the weight of its answer tokens in all processes."""
        self.set_activity(f"waiting for the rows of step {self.state.global_step + 1}")
        batches = list(islice(epoch_iterator, num_batches))
        counts = [(total_weight(batch, self.loss), batch["attention_mask"].sum()) for batch in batches]
        weights, tokens = zip(*counts, strict=True)
        weight, num_tokens = self.processes.sum(float(sum(weights)), float(sum(tokens)))
        self.step_batches, self.step_losses, self.step_tokens = batches, [], int(num_tokens)
        return batches, torch.tensor(weight, device=device)

    def training_step(self, model: Any, inputs: Encoded, *args: Any, **kwargs: Any) -> torch.Tensor:
        """One batch forward and backward, in parts where memory does not suffice; its rows are counted.

        After the last batch of an optimizer step the gradients are those of all processes.

        Returns:
            the batch's share of the step's loss, times the processes: what is logged is their mean.

        Raises:
            UserError: InvalidConfig when memory does not suffice for a row; NonFiniteLoss.
        """
        step, index = self.state.global_step, len(self.step_losses)
        number = index * self.processes.world_size + self.processes.rank
        self.set_activity(f"batch {index + 1} of step {step + 1}")
        forward_backward = super().training_step

        def run_rows(rows: slice) -> torch.Tensor:
            seed_batch(self.args.seed, step, number, rows.start)
            return forward_backward(model, slice_rows(inputs, rows), *args, **kwargs)

        num_rows = len(inputs["labels"])
        with self._separate_gradients(model):
            losses = self.train_backoff.work(num_rows, run_rows, undo=model.zero_grad)
        self.count_rows(num_rows)
        loss = torch.stack(losses).sum()
        self.step_losses.append(loss)
        if len(self.step_losses) == len(self.step_batches):
            self._complete_step(model)
        shown = loss * self.processes.world_size
        self.resume_state.loss_since_log += shown
        return shown

    @contextmanager
    def _separate_gradients(self, model: Any) -> Iterator[None]:
        """Within, gradients start from nothing, so that a batch can be redone; then they are added up.

        Nothing is copied: the gradients of the step's earlier batches are set aside by reference, and the sum
        is the one that PyTorch would have made.
        """
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        if not self.train_backoff.can_halve:
            weights = []  # no batch is redone
        earlier = [weight.grad for weight in weights]
        for weight in weights:
            weight.grad = None
        yield
        for weight, gradient in zip(weights, earlier, strict=True):
            if gradient is not None:
                weight.grad = gradient if weight.grad is None else gradient.add_(weight.grad)

    def _complete_step(self, model: Any) -> None:
        """Sum the gradients over the processes, and stop on a loss or gradient that is NaN or infinite.

        Losses are tested only here, once a step: to do so, one has to wait for the GPU.

        Raises:
            UserError: NonFiniteLoss.
        """
        self.processes.sum_gradients(model.parameters())
        step, batches = self.state.global_step + 1, self.step_batches
        failure = None
        if not torch.isfinite(torch.stack(self.step_losses)).all():
            rows = self._find_rows(lambda: rows_with_non_finite_loss(batches, self._summed_loss))
            failure = non_finite_error("the training loss", step, rows)
        self.fail(failure)
        norm = get_total_norm(weight.grad for weight in model.parameters() if weight.grad is not None)
        if not torch.isfinite(norm) and not will_skip_step(self.accelerator.scaler):
            rows = self._find_rows(lambda: rows_with_non_finite_gradient(model, batches, self._summed_loss))
            self.fail(non_finite_error("the gradient", step, rows))  # the same in all
        self.state.num_input_tokens_seen += self.step_tokens
        self.tokens_since_start += self.step_tokens

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
        return answer_loss(self.model, self.model_inputs(batch), self.loss, self.accelerator.autocast)[0]

    def _find_rows(self, find: Callable[[], list[str]]) -> list[str]:
        """What `find` returns; no rows with several processes, since all of them would have to call it."""
        return find() if self.processes.world_size == 1 else []

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """As Hugging Face's, with the loss and the tokens that continue those of the checkpoint.

        The norm of a skipped gradient is omitted: JSON has no infinity.
        """
        if "loss" in logs:
            total = self.processes.sum(float(self.resume_state.loss_since_log))[0] / self.processes.world_size
            logs["loss"] = total / (self.state.global_step - self.resume_state.last_logged)
            self.resume_state.loss_since_log, self.resume_state.last_logged = 0.0, self.state.global_step
        if not math.isfinite(logs.get("grad_norm", 0.0)):
            logs.pop("grad_norm")
        logs["num_input_tokens_seen"] = self.state.num_input_tokens_seen
        if start_time is not None:
            logs |= speed_metrics("train", start_time, num_tokens=self.tokens_since_start)
        super().log(logs, start_time)

    # Evaluation

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """The mean loss over every answer token of the validation set, and the metrics of its documents.

        A stop requested during the evaluation ends it early, with an infinite loss that is neither logged nor
        compared with the best; the training loop then saves and stops.

        Raises:
            UserError: NonFiniteLoss.
        """
        key = f"{metric_key_prefix}_loss"
        with self.gathered():
            total, tokens = self.processes.sum(*self._sum_losses(self.get_eval_dataloader(eval_dataset)))
            self.set_activity(None)  # without a timeout: the other processes wait for the first
            document_metrics = self.processes.broadcast_from_main(
                lambda: self.documents.read(self._adapted_model(), self.set_activity)
            )
        self.set_activity(None)
        if self.processes.any(self.stop.requested.is_set()):
            self.stop.requested.set()
            self.control.should_evaluate = False
            self.control.should_save = self.control.should_training_stop = True
            return {key: math.inf}
        loss = total / tokens
        if not math.isfinite(loss):
            self.processes.raise_on_all(
                non_finite_error("the validation loss", self.state.global_step, self.non_finite_rows)
            )
        metrics = {key: loss}
        metrics |= {f"{metric_key_prefix}_{name}": value for name, value in document_metrics.items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    @torch.no_grad()
    def _sum_losses(self, batches: Any) -> tuple[float, int]:
        self._adapted_model().eval()
        total, tokens = 0.0, 0
        self.set_activity(f"waiting for the rows of the evaluation at step {self.state.global_step}")
        for number, batch in enumerate(batches, start=1):
            if self.stop.requested.is_set():
                break
            self.set_activity(f"batch {number} of the evaluation at step {self.state.global_step}")
            measure = partial(self._measure, batch)
            for loss, count in self.eval_backoff.work(len(batch["labels"]), measure):
                total += loss
                tokens += count
            if not math.isfinite(total):
                self.non_finite_rows = self._find_rows(
                    partial(rows_with_non_finite_loss, [batch], self._summed_loss)
                )
                break
            self.control = self.callback_handler.on_prediction_step(self.args, self.state, self.control)
        return total, tokens

    def _measure(self, batch: Encoded, rows: slice) -> tuple[float, int]:
        """The summed loss of some rows of a batch, and their answer tokens."""
        inputs = self.model_inputs(slice_rows(batch, rows))
        loss, count = answer_loss(self._adapted_model(), inputs, precision=self.accelerator.autocast)
        return float(loss), int(count)

    # Checkpoints

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """As Hugging Face's; keeps the hyperparameters, since a checkpoint is loaded afterwards."""
        schedule = super().create_scheduler(num_training_steps, optimizer)
        assert self.optimizer is not None
        self.resume_state.keep_hyperparameters(self.optimizer)
        return schedule

    def load_checkpoint(self, folder: Path) -> None:
        """Load a checkpoint's adapter and state, to evaluate or to export it.

        `train(resume_from_checkpoint=...)` loads both again, with optimizer and schedule.
        """
        set_peft_model_state_dict(self._adapted_model(), load_file(folder / ADAPTER_FILE))
        self.state = TrainerState.load_from_json(str(folder / STATE_FILE))

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write a checkpoint's adapter and its best adapter, once the previous upload has ended.

        Hugging Face's Trainer calls this before it writes the rest of a checkpoint. Its pickled arguments are
        not written: they are never used.
        """
        assert output_dir is not None
        folder = Path(output_dir)
        self.set_activity(None)  # waits for an upload, which has its own timeouts
        self.processes.broadcast_from_main(self.before_save)
        losses = self.processes.sum(float(self.resume_state.loss_since_log))[0]
        self.resume_state.loss_since_log = losses / self.processes.world_size
        if self.processes.is_main:
            mark_incomplete(folder)
            save_adapter(self._adapted_model(), folder)
            self.best.save(folder)
            follow_umask(folder)

    def _save_rng_state(self, output_dir: str) -> None:
        super()._save_rng_state(output_dir)
        self.processes.barrier()  # next the first process writes the file that marks the checkpoint complete

    def _adapted_model(self) -> PeftModel:
        assert isinstance(self.model, PeftModel)
        return self.model


def _unwrapped(model: Any, **_: Any) -> Any:
    return model
