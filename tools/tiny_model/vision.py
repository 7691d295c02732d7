"""The vision tower for a batch of pages of one size.

The model's own `get_image_features` splits a batch into its pages, layer by layer, and takes three colours.
Here a batch is one tensor and grey: the results are the same, in less time.
"""

import torch
from torch.nn import functional
from transformers import PaddleOCRVLForConditionalGeneration
from transformers.models.paddleocr_vl.modeling_paddleocr_vl import apply_rotary_pos_emb_vision
from transformers.vision_utils import get_vision_interpolation_indices_and_weights, get_vision_position_ids

from tools.tiny_model.attention import attend


def image_features(model: PaddleOCRVLForConditionalGeneration, patches: torch.Tensor) -> torch.Tensor:
    """The embeddings of the image tokens.

    Args:
        model: The model.
        patches: Grey patches, normalised: [pages, rows of patches, columns of patches, 14, 14].

    Returns:
        [pages, image tokens, width of the language model].
    """
    pages, high, wide = patches.shape[:3]
    tower, projector = model.model.visual.vision_model, model.model.projector
    grid = torch.tensor([[1, high, wide]], device=patches.device)
    embeddings = tower.embeddings
    kernel = embeddings.patch_embedding.weight.sum(1).flatten(1)
    hidden = functional.linear(
        patches.reshape(pages, high * wide, -1), kernel, embeddings.patch_embedding.bias
    )
    indices, weights = get_vision_interpolation_indices_and_weights(
        grid,
        num_grid_per_side=embeddings.num_grid_per_side,
        mode=embeddings.interpolation_mode,
        align_corners=embeddings.interpolation_align_corners,
    )
    hidden = hidden + (embeddings.position_embedding(indices) * weights[:, :, None]).sum(1)
    cos, sin = tower.encoder.rotary_pos_emb(hidden, get_vision_position_ids(grid, 1))
    for layer in tower.encoder.layers:
        attention = layer.self_attn
        shape = (pages, high * wide, attention.num_heads, attention.head_dim)
        normed = layer.layer_norm1(hidden)
        query, key = apply_rotary_pos_emb_vision(
            attention.q_proj(normed).view(shape), attention.k_proj(normed).view(shape), cos, sin
        )
        value = attention.v_proj(normed).view(shape)
        attended = attend(
            query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attention.scaling, None
        )
        hidden = hidden + attention.out_proj(attended.transpose(1, 2).flatten(2))
        hidden = hidden + layer.mlp(layer.layer_norm2(hidden))
    hidden = projector.pre_norm(tower.post_layernorm(hidden))
    blocks = hidden.view(pages, high // 2, 2, wide // 2, 2, -1).transpose(2, 3)
    merged = blocks.reshape(pages, high * wide // 4, -1)
    features: torch.Tensor = projector.linear_2(projector.act(projector.linear_1(merged)))
    return features
