import contextlib
import json
import shutil
from dataclasses import replace

import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError

from finscribe_core.errors import FailureReason, RetryableError, UserError
from finscribe_trainer.batches.selection import RowLimits, select_rows
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.images import open_image
from finscribe_trainer.data.rows import Row, Turn
from finscribe_trainer.data.splits import Splits
from finscribe_trainer.model.batch import IGNORE_INDEX
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.source import ModelSource, find_local_or_hub_model, model_errors


def text_example(prompt: str, completion: str) -> Example:
    return Example(Row((Turn("user", prompt),), completion), "rows.jsonl:1")


def test_labels_cover_only_the_answer_and_the_end_token(family):
    encoded = family.encode(text_example("Read.", '{"a": 1}'))
    tokenizer = family.tokenizer
    learned = encoded["labels"][encoded["labels"] != IGNORE_INDEX]
    assert tokenizer.decode(learned) == '{"a": 1}</s>'
    assert tokenizer.decode(encoded["input_ids"]) == (
        '<|begin_of_sentence|>User: Read.\nAssistant: {"a": 1}</s>'
    )
    prompt_length = len(encoded["labels"]) - len(learned)
    assert torch.all(encoded["labels"][:prompt_length] == IGNORE_INDEX)
    assert torch.equal(encoded["input_ids"][prompt_length:], learned)


def test_an_image_row_has_one_token_per_28_pixel_square(family, dataset):
    example = next(e for e in dataset.examples if e.images)
    encoded = family.encode(example)
    num_image_tokens = int((encoded["input_ids"] == family.config.image_token_id).sum())
    assert num_image_tokens == int(encoded["images"][0]["image_grid_thw"].prod()) // 4
    assert int(encoded["mm_token_type_ids"].sum()) == num_image_tokens
    assert torch.all(encoded["labels"][encoded["mm_token_type_ids"] == 1] == IGNORE_INDEX)
    assert len(encoded["mm_token_type_ids"]) == len(encoded["input_ids"]) == len(encoded["labels"])


def test_a_prompt_equals_that_of_the_checkpoints_processor(family, dataset):
    example = next(e for e in dataset.examples if e.images)
    content = [{"type": "image", "image": open_image(example.images[0])}]
    content.append({"type": "text", "text": example.row.turns[0].text})
    expected = family.processing.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    prompt = family.encode_prompt(example)
    inputs = family.model_inputs(family.collate([prompt]))
    assert inputs.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(inputs[name], tensor), name


def test_position_ids_equal_the_models_own(family, source, dataset, several_images):
    batch = family.collate([family.encode(row) for row in (*dataset.examples[2:4], several_images)])
    inputs = family.model_inputs(batch)
    known = {"input_ids", "mm_token_type_ids", "image_grid_thw", "attention_mask"}
    given = {name: value for name, value in inputs.items() if name in known}
    expected, _ = family.load_model(source).model.get_rope_index(**given)
    assert torch.equal(inputs["position_ids"], expected)


def test_tokens_are_counted_without_decoding_the_image(family, dataset):
    for example in dataset.examples:
        assert family.count_tokens(example) == len(family.encode(example)["input_ids"])


@pytest.mark.parametrize("ending", ["Assistant: ", "Assistant:\n"])
def test_the_prompt_ends_as_in_the_checkpoints_chat_template(source, ending):
    family = load_family(source)
    family.processing.chat_template = family.processing.chat_template.replace(
        '{{- "Assistant: " -}}\n{%- endif', "{{- " + repr(ending) + " -}}\n{%- endif"
    )
    encoded = family.encode_prompt(text_example("Read.", "x"))
    assert family.tokenizer.decode(encoded["input_ids"]).endswith(f"User: Read.\n{ending}")


def test_rows_with_and_without_image_share_a_batch(family, dataset):
    encoded = [family.encode(example) for example in dataset.examples[2:4]]
    batch = family.collate(encoded)
    lengths = [len(row["input_ids"]) for row in encoded]
    assert encoded[1]["images"] == []
    assert batch["attention_mask"].sum(1).tolist() == lengths
    assert batch["input_ids"].shape == batch["labels"].shape == (2, max(lengths))
    inputs = family.model_inputs(batch)
    assert inputs["pixel_values"].shape[0] == int(inputs["image_grid_thw"].prod(1).sum())


def test_too_long_rows_are_excluded_not_truncated(family, dataset):
    lengths = sorted(family.count_tokens(example) for example in dataset.examples)
    kept = select_rows(Splits(dataset.examples, dataset.examples, "", None), family, RowLimits(lengths[3]))
    assert sorted(family.count_tokens(example) for example in kept.train) == lengths[:4]
    assert kept.num_excluded == 2 * (len(lengths) - 4)
    with pytest.raises(UserError, match="Every training row is longer than max_sequence_length = 16"):
        select_rows(Splits(dataset.examples, dataset.examples, "", None), family, RowLimits(16))


def test_rows_with_more_pages_than_allowed_are_excluded_from_training_and_validation(
    family, dataset, several_images, caplog
):
    one = next(example for example in dataset.examples if example.images)
    splits = Splits([one, several_images], [several_images, one], "", None, test=[several_images])
    kept = select_rows(splits, family, RowLimits(10_000, pages=2))
    assert (kept.train, kept.validation, kept.test) == ([one], [one], [several_images])
    assert (kept.num_excluded, len(kept.train_lengths)) == (2, 1)
    assert f"{several_images.where}: excluded: 3 pages, more than max_pages = 2" in caplog.text
    assert select_rows(splits, family, RowLimits(10_000, pages=3)).num_excluded == 0
    with pytest.raises(UserError, match=r"or has more than max_pages = 1 pages\."):
        select_rows(Splits([several_images], [one], "", None), family, RowLimits(10_000, pages=1))


def test_the_pages_of_a_row_are_encoded_in_their_order(family, several_images):
    encoded = family.encode(several_images)
    one_page = Row((Turn("user", "Read.", 1),), "x")
    pages = [
        family.encode_prompt(replace(several_images, row=one_page, images=(path,)))
        for path in several_images.images
    ]
    for page, alone in zip(encoded["images"], pages, strict=True):
        assert torch.equal(page["pixel_values"], alone["images"][0]["pixel_values"])
    assert not torch.equal(encoded["images"][0]["pixel_values"], encoded["images"][1]["pixel_values"])
    inputs = family.model_inputs(family.collate([encoded]))
    assert torch.equal(
        inputs["pixel_values"], torch.cat([page["pixel_values"] for page in encoded["images"]])
    )
    image_tokens = int((encoded["input_ids"] == family.config.image_token_id).sum())
    assert image_tokens == sum(
        family.features_shape(page["image_grid_thw"].tolist())[0] for page in encoded["images"]
    )
    assert len(encoded["input_ids"]) == family.count_tokens(several_images)


def test_a_training_row_that_augmentation_makes_too_long_is_excluded(dataset, family):
    large = next(example for example in dataset.examples if example.images)
    half = replace(large, sizes=tuple((width // 2, height // 2) for width, height in large.sizes))
    text = next(example for example in dataset.examples if not example.images)
    most = max(family.count_tokens(half), family.count_tokens(text))
    assert most < family.count_tokens(large)
    kept = select_rows(Splits([half, text], [half], "", None), family, RowLimits(most), scales=(1.0, 2.0))
    assert (kept.train, kept.validation, kept.num_excluded) == ([text], [half], 1)


def test_a_text_model_rejects_a_row_with_an_image(text_model, dataset):
    family = load_family(ModelSource(str(text_model), given_name="my-text-model"))
    with pytest.raises(UserError, match="the row has an image, but my-text-model takes text only") as caught:
        family.count_tokens(dataset.examples[0])
    assert caught.value.reason is FailureReason.ModelUnsupported


def test_a_text_model_without_template_gets_the_prompt_and_a_newline(text_model):
    family = load_family(ModelSource(str(text_model)))
    encoded = family.encode(text_example("Read.", "ok"))
    assert family.tokenizer.decode(encoded["input_ids"]) == "Read.\nok</s>"


def test_a_folder_without_a_model_is_reported_as_not_found(tmp_path):
    with pytest.raises(UserError) as caught:
        load_family(ModelSource(str(tmp_path), given_name="s3://models/empty"))
    assert caught.value.reason is FailureReason.ModelNotFound
    assert "s3://models/empty" in caught.value.message
    with pytest.raises(UserError, match="no such folder"):
        find_local_or_hub_model("./nowhere/at/all", None)


def test_code_beside_a_tokenizer_is_never_run(text_model, tmp_path, monkeypatch):
    folder = tmp_path / "model"
    shutil.copytree(text_model, folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings |= {"tokenizer_class": "OwnTokenizer", "auto_map": {"AutoTokenizer": ["own.OwnTokenizer", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'was-run')!r}, 'w')\nclass OwnTokenizer: ...\n")
    questions = []
    monkeypatch.setattr("builtins.input", lambda text="": questions.append(text) or "y")
    with contextlib.suppress(UserError):
        load_family(ModelSource(str(folder)))
    assert not questions
    assert not (tmp_path / "was-run").exists()


def test_an_unreachable_hub_is_a_retryable_error():
    """transformers raises an OSError for a failed connection, as for a missing file."""
    cause = LocalEntryNotFoundError("cannot find the requested files in the local cache")
    with pytest.raises(RetryableError) as caught, model_errors(ModelSource("owner/model")):
        raise OSError("We couldn't connect to 'https://huggingface.co' to load the files") from cause
    assert caught.value.reason is FailureReason.StorageUnavailable
    assert "check its name" in caught.value.remedy
