"""Loads an adapter and a merged model by the code of their model cards, without FinScribe.

    python plain_load.py ADAPTER MERGED

Runs in a folder that holds page.png, and the base model at the path in the adapter's card. Prints JSON: the
answers of both, the difference of their logits, and what was loaded.
"""

import contextlib
import io
import json
import re
import sys
from pathlib import Path

import torch
from transformers import GenerationConfig

adapter, merged = map(Path, sys.argv[1:])


def use(folder):
    """Run the code of a folder's card; returns its variables and its output."""
    (code,) = re.findall(
        r"^```python\n(.*?)^```", (folder / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    for written, here in (('folder = "."', f"folder = {str(folder)!r}"), ("=2048", "=8")):
        assert code.count(written) == 1
        code = code.replace(written, here)
    defined = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, defined)
    return defined, printed.getvalue()


@torch.no_grad()
def logits(used):
    return used["model"](**used["inputs"]).logits


adapted, answer = use(adapter)
alone, answer_alone = use(merged)
with_adapter, without = logits(adapted), logits(alone)
with adapted["model"].disable_adapter():
    untrained = logits(adapted)
sys.stdout.write(
    json.dumps(
        {
            "answers": [answer, answer_alone],
            "difference": float((with_adapter - without).norm() / with_adapter.norm()),
            "adapter_effect": float((with_adapter - untrained).norm() / with_adapter.norm()),
            "tied": alone["model"].lm_head.weight is alone["model"].get_input_embeddings().weight,
            "eos": GenerationConfig.from_pretrained(merged).eos_token_id,
            "finscribe_modules": [name for name in sys.modules if name.startswith("finscribe")],
        }
    )
)
