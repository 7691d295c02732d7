"""What the checks before the first step can find, with the remedy of each."""

from dataclasses import dataclass
from enum import StrEnum


class Defect(StrEnum):
    """A defect by which a model does not learn to read its pages."""

    no_image_tokens = "no image tokens"
    wrong_processor_size = "wrong processor size"
    lost_positions = "lost positions"
    wrong_template = "wrong template"
    shifted_labels = "shifted labels"
    unmasked_prompt = "unmasked prompt"
    endless_answers = "endless answers"
    text_only_answers = "text-only answers"
    page_without_effect = "page without effect"
    swapped_images = "swapped images"


_CHECKPOINT = (
    "Use the model's own, unchanged files: config.json, tokenizer, chat template and image processor."
)
_DEFECT_OF_FINSCRIBE = "This is a defect of FinScribe or of the model's files; please report it."
REMEDIES = {
    Defect.no_image_tokens: _CHECKPOINT,
    Defect.wrong_processor_size: _CHECKPOINT,
    Defect.wrong_template: _CHECKPOINT,
    Defect.lost_positions: _DEFECT_OF_FINSCRIBE,
    Defect.shifted_labels: _DEFECT_OF_FINSCRIBE,
    Defect.unmasked_prompt: _DEFECT_OF_FINSCRIBE,
    Defect.endless_answers: _DEFECT_OF_FINSCRIBE,
    Defect.text_only_answers: "Check the answers of the rows: they must be what is on their pages.",
    Defect.page_without_effect: "Check the weights of the vision tower and the projector.",
    Defect.swapped_images: "Check the images of some rows with `finscribe data contact-sheet`.",
}


@dataclass(frozen=True)
class Finding:
    """A defect, with what was seen."""

    defect: Defect
    message: str
