"""The loss on answers, and two additional losses that shorten the training.

Where a character stands on the page is known, because the page is drawn here. So the image tokens learn to
tell their two characters (by a classifier that is not part of the model), and one attention head in each of
two layers learns where to look: at the character that was read last, and at the next one.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import PaddleOCRVLForConditionalGeneration
from transformers.models.paddleocr_vl.modeling_paddleocr_vl import apply_rotary_pos_emb

from finscribe_trainer.data_tools.small_pages.characters import characters
from tools.tiny_model import attention
from tools.tiny_model.batches import NOTHING, Batch
from tools.tiny_model.vision import image_features

READ_LAYER, NEXT_LAYER = 1, 2
"""Layers of the language model whose first attention head looks for the last and the next character."""
CLASSIFIER_WEIGHT, POINTER_WEIGHT = 0.5, 0.25


class Losses(nn.Module):
    """Computes the losses of a batch.

    Attributes:
        model: The model, whose attention layers are observed.
        classifier: From the embedding of an image token to its two characters.
    """

    def __init__(self, model: PaddleOCRVLForConditionalGeneration, seed: int) -> None:
        super().__init__()
        self.model = model
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.classifier = nn.Linear(model.lm_head.in_features, 2 * len(characters()))
        self._seen: dict[nn.Module, tuple[torch.Tensor, Any]] = {}
        for layer in (READ_LAYER, NEXT_LAYER):
            observed = model.model.language_model.layers[layer].self_attn
            observed.register_forward_pre_hook(self._keep, with_kwargs=True)

    def _keep(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._seen[module] = kwargs["hidden_states"], kwargs["position_embeddings"]

    def forward(self, batch: Batch, *, guided: bool = True) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The loss to be minimised, and its parts by name; without the additional ones if not `guided`."""
        model, language = self.model, self.model.model.language_model
        features = image_features(model, batch.patches)
        embedded = language.embed_tokens(batch.tokens)
        is_image = batch.tokens == model.config.image_token_id
        embedded = embedded.masked_scatter(is_image[..., None], features.to(embedded.dtype))
        usual = language.config._attn_implementation
        language.set_attn_implementation(attention.NAME)
        output = language(
            inputs_embeds=embedded, position_ids=batch.positions, attention_mask=batch.mask, use_cache=False
        )
        language.set_attn_implementation(usual)
        answered = batch.targets != NOTHING
        logits = model.lm_head(output.last_hidden_state[answered]).float()
        targets = batch.targets[answered]
        answer = functional.cross_entropy(logits, targets)
        accuracy = (logits.argmax(-1) == targets).float().mean()
        parts = {"answer": answer, "accuracy": accuracy}
        if not guided:
            return answer, parts
        scores = self.classifier(features).float()
        characters_of = batch.characters.flatten(1).view(*features.shape[:2], 2)
        parts["characters"] = functional.cross_entropy(
            scores.view(*features.shape[:2], 2, -1).flatten(0, 2), characters_of.flatten()
        )
        first = int(is_image[0].int().argmax())
        parts["read"] = self._pointer(READ_LAYER, batch.read, first, batch.mask)
        parts["next"] = self._pointer(NEXT_LAYER, batch.next, first, batch.mask)
        loss = answer + CLASSIFIER_WEIGHT * parts["characters"]
        return loss + POINTER_WEIGHT * (parts["read"] + parts["next"]), parts

    def _pointer(self, layer: int, cells: torch.Tensor, first: int, mask: torch.Tensor) -> torch.Tensor:
        """Cross-entropy between the attention of a layer's first head and the right image tokens."""
        observed = self.model.model.language_model.layers[layer].self_attn
        hidden, (cos, sin) = self._seen.pop(observed)
        width = observed.head_dim
        query = functional.linear(hidden, observed.q_proj.weight[:width])[:, None]
        key = functional.linear(hidden, observed.k_proj.weight[:width])[:, None]
        query, key = apply_rotary_pos_emb(query, key, cos, sin)
        scores = (query @ key.transpose(2, 3)).float() * observed.scaling
        chosen = cells != NOTHING
        scores = scores.masked_fill(~mask, float("-inf"))[:, 0][chosen]
        return functional.cross_entropy(scores, cells[chosen] + first)
