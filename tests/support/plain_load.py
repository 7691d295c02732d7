"""Loads both layouts of a result as a stranger does: transformers and peft, nothing of ours.

    python plain_load.py BASE ADAPTER MERGED PAGE

Prints JSON: the answers of both, how far their logits are apart, and what was loaded.
"""

import json
import sys

import torch
from peft import PeftModel
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, GenerationConfig

base, adapter, merged, page = sys.argv[1:]


def ask(model, processor):
    content = [{"type": "image", "image": Image.open(page)}, {"type": "text", "text": "Read it."}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    with torch.no_grad():
        logits = model(**inputs).logits
        answer = model.generate(**inputs, max_new_tokens=8, do_sample=False)
    return logits, processor.decode(answer[0, inputs["input_ids"].shape[1] :])


adapted = PeftModel.from_pretrained(AutoModelForImageTextToText.from_pretrained(base), adapter).eval()
alone = AutoModelForImageTextToText.from_pretrained(merged).eval()
with_adapter, answer = ask(adapted, AutoProcessor.from_pretrained(adapter))
without, answer_alone = ask(alone, AutoProcessor.from_pretrained(merged))
with adapted.disable_adapter():
    untrained, _ = ask(adapted, AutoProcessor.from_pretrained(adapter))
sys.stdout.write(
    json.dumps(
        {
            "answers": [answer, answer_alone],
            "apart": float((with_adapter - without).norm() / with_adapter.norm()),
            "trained": float((with_adapter - untrained).norm() / with_adapter.norm()),
            "tied": alone.lm_head.weight is alone.get_input_embeddings().weight,
            "eos": GenerationConfig.from_pretrained(merged).eos_token_id,
            "ours": [name for name in sys.modules if name.startswith("finscribe")],
        }
    )
)
