"""Packs the rows of a batch into one sequence instead of padding them to the longest.

Rows do not attend to each other, and positions restart with each row. Besides mRoPE's three coordinates,
position_ids have a fourth, the token's index in its row, by which the transformers library separates rows.
"""

import logging
from itertools import accumulate
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.rows import Row, Turn
from finscribe_trainer.model.batch import IGNORE_INDEX, Encoded
from finscribe_trainer.model.families.base import Family

log = logging.getLogger(__name__)

ROW_BY_ROW = "sdpa_row_by_row"
"""Name of an attention function like `sdpa` that is computed row by row, instead of for the whole sequence
with a block-diagonal mask."""
_TOLERANCE = {torch.float32: 1e-3}
_HALF_PRECISION_TOLERANCE = 0.1


def pack(batch: Encoded) -> Encoded:
    """Concatenate the rows of a batch to one row without padding.

    Returns:
        the tensors of `batch` except attention_mask, with shape (1, tokens, ...); position_ids, with shape
        (1, tokens, 4), or (1, tokens) where `batch` has none; and the lengths of the rows in the arguments of
        the attention functions.
    """
    mask = batch["attention_mask"].bool()
    lengths = mask.sum(1).tolist()
    tokens = mask.flatten().nonzero()[:, 0]
    packed: Encoded = {
        key: value.flatten(0, 1)[tokens][None]
        if torch.is_tensor(value)
        else [[each for row in value for each in row]]
        for key, value in batch.items()
        if key != "attention_mask"
    }
    places = torch.cat([torch.arange(length) for length in lengths]).to(mask.device)[None]
    packed["labels"] = packed["labels"].masked_fill(
        places == 0, IGNORE_INDEX
    )  # a row's first token must not be predicted from the previous row
    if "position_ids" in packed:
        places = torch.cat([places[..., None], packed["position_ids"]], dim=-1)
    packed["position_ids"] = places
    boundaries = torch.tensor([0, *accumulate(lengths)], dtype=torch.int32).to(mask.device)
    packed |= {"cu_seq_lens_q": boundaries, "cu_seq_lens_k": boundaries}
    packed |= {"max_length_q": max(lengths), "max_length_k": max(lengths), "row_lengths": tuple(lengths)}
    return packed


def row_by_row_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    row_lengths: tuple[int, ...] | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """`sdpa` applied to each row separately; to the whole sequence if `row_lengths` is None."""
    if row_lengths is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    rows = zip(*(each.split(row_lengths, dim=2) for each in (query, key, value)), strict=True)
    outputs = [sdpa_attention_forward(module, q, k, v, None, **options)[0] for q, k, v in rows]
    return torch.cat(outputs, dim=1), None


def _row_by_row_mask(*args: Any, **options: Any) -> torch.Tensor | None:
    """None without padding: neither causal attention nor packed rows need a mask then."""
    unpadded = options.get("attention_mask") is None and options["q_length"] == options["kv_length"]
    return None if unpadded else sdpa_mask(*args, **options)


AttentionInterface.register(ROW_BY_ROW, row_by_row_attention)
AttentionMaskInterface.register(ROW_BY_ROW, _row_by_row_mask)


def choose_packing(wanted: bool | None, model: Any, family: Family) -> bool:
    """Whether rows are packed: as configured, or by default where the model supports it.

    Args:
        wanted: training.packing.
        model: the model with its adapter, on its device.
        family: the model's family.

    Raises:
        UserError: ModelUnsupported when packing is configured and the model does not support it.
    """
    if wanted is False:
        return False
    try:
        prepare_packing(model, family)
    except UserError as error:
        if wanted:
            raise
        log.info("rows are padded, not packed: %s", error.message)
        return False
    log.info("rows are packed")
    return True


def prepare_packing(model: Any, family: Family) -> None:
    """Set up the model for packed rows, and verify that rows do not affect each other's logits.

    Raises:
        UserError: ModelUnsupported.
    """
    base = model.get_base_model()
    language = getattr(base.config, "text_config", None)
    if (language or base.config)._attn_implementation == "sdpa":
        base.set_attn_implementation(ROW_BY_ROW if language is None else {"text_config": ROW_BY_ROW})
    texts = ("1 2 3", "a b c", "x y z")
    rows = [family.encode(Example(Row((Turn("user", text),), text), "")) for text in texts]
    try:
        alone, packed = (_logits(model, family, batch) for batch in ([rows[-1]], rows))
        error = float((packed[-len(alone) :] - alone).norm() / alone.norm())
        problem = (
            None
            if error <= _TOLERANCE.get(base.dtype, _HALF_PRECISION_TOLERANCE)
            else f"relative error {error:.2g}"
        )
    except (TypeError, ValueError, RuntimeError) as refused:
        problem = str(refused)
    if problem is not None:
        raise UserError(
            FailureReason.ModelUnsupported,
            f"training.packing: a row's logits differ when it is packed with others ({problem}).",
            "Set training.packing to false; training.group_by_length also reduces padding.",
        )


@torch.no_grad()
def _logits(model: Any, family: Family, rows: list[Encoded]) -> torch.Tensor:
    """Logits of the packed rows, shape (tokens, vocabulary)."""
    was_training = model.training
    inputs = family.model_inputs(pack(family.collate(rows)))
    inputs = {
        key: value.to(model.device) if torch.is_tensor(value) else value for key, value in inputs.items()
    }
    logits: torch.Tensor = model.eval()(**inputs, use_cache=False).logits[0].float()
    model.train(was_training)
    return logits
