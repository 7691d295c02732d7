"""Messages about a wrong file or key say what to write instead, and name nothing that leads elsewhere."""

import pytest

from finscribe_core.api.base import PATTERN_WORDS
from finscribe_core.api.v1alpha1 import FineTuneJob, FineTuneJobSpec
from finscribe_core.errors import UserError
from finscribe_core.experiments import ExperimentsFile, read_experiments
from finscribe_core.overrides import apply_overrides
from finscribe_core.parsing import parse_leniently, parse_strictly
from finscribe_core.trainer_config import TrainerConfig
from finscribe_core.yaml_files import read_documents
from finscribe_operator.local.manifest_file import read_manifest
from finscribe_trainer.pipeline.config import load_config

JOB = """\
apiVersion: finscribe.io/v1alpha1
kind: FineTuneJob
metadata: {name: invoices}
spec:
  model: {source: "hf://PaddlePaddle/PaddleOCR-VL"}
  dataset: {train: s3://team-docs/train.jsonl}
  output: {uri: s3://team-models/invoices}
"""
CONFIG = "dataset_path: train.jsonl\n"
EXPERIMENTS = "experiments: [{name: wide, overrides: {lora.r: 32}}]\n"


UNKNOWN_KEYS = {
    # At the wrong level:
    "r: 8": ("unknown key r; did you mean lora.r?", ()),
    "lora_alpha: 8": ("unknown key lora_alpha; did you mean lora.alpha?", ()),
    "target_modules: [q_proj]": ("did you mean lora.target_modules?", ()),
    "learning_rate: 1e-5": ("did you mean training.learning_rate?", ()),
    "learningRate: 1e-5": ("did you mean training.learning_rate?", ("learningRate?",)),
    "max_seq_length: 512": ("did you mean training.max_sequence_length?", ("max_image_pixels",)),
    "patience: 2": ("did you mean early_stopping.patience?", ()),
    "gate: {minimum: 0.5}": ("did you mean evaluation.gate?", ()),
    "training: {dataset_path: a.jsonl}": (
        "unknown key training.dataset_path; did you mean dataset_path?",
        (),
    ),
    "training: {lora: {r: 8}}": ("unknown key training.lora; did you mean lora?", ()),
    "training: {early_stopping: {patience: 2}}": ("did you mean early_stopping?", ()),
    "lora: {learning_rate: 1e-5}": (
        "unknown key lora.learning_rate; did you mean training.learning_rate?",
        (),
    ),
    "lora.r: 8": ("unknown key lora.r; write it as lora: {r: ...}.", ("did you mean",)),
    "evaluation.gate.minimum: 0.5": ("write it as evaluation: {gate: {minimum: ...}}.", ()),
    # In the words of other trainers:
    "batch_size: 4": ("did you mean training.per_device_train_batch_size?", ()),
    "training: {batch_size: 4}": ("did you mean per_device_train_batch_size?", ()),
    "training: {micro_batch_size: 4}": ("did you mean per_device_train_batch_size?", ("eval_batch",)),
    "epochs: 3": ("did you mean training.num_train_epochs?", ()),
    "training: {num_epochs: 3}": ("did you mean num_train_epochs?", ()),
    "training: {lr: 1e-5}": ("did you mean learning_rate?", ()),
    "training: {lr_scheduler: linear}": ("did you mean lr_scheduler_type?", ("num_cycles",)),
    "cutoff_len: 512": ("did you mean training.max_sequence_length?", ()),
    "train_file: a.jsonl": ("did you mean dataset_path?", ()),
    "train_path: a.jsonl": ("did you mean dataset_path?", ("test_path",)),
    "val_file: a.jsonl": ("did you mean validation_path?", ()),
    "eval_dataset: a.jsonl": ("did you mean validation_path?", ()),
    "base_model: a/b": ("did you mean model_name_or_path?", ()),
    "lora_r: 8": ("did you mean lora.r?", ()),
    "lora: {rank: 8}": ("unknown key lora.rank; did you mean r?", ()),
    "load_in_4bit: true": ("did you mean method?", ()),
    "grad-accum: 2": ("did you mean training.gradient_accumulation_steps?", ()),
    # Mistyped:
    "training: {learnig_rate: 1e-5}": ("did you mean learning_rate?", ("learningRate",)),
    "training: {numEpoch: 3}": ("unknown key training.numEpoch", ("numTrainEpochs",)),
    # Nothing here is meant by them:
    "augmentation: {elastic_probability: 0.1}": ("unknown key augmentation.elastic_probability.", ("did",)),
    "enabled: true": ("unknown key enabled.", ("did you mean",)),
    "run_name: a": ("unknown key run_name.", ("did you mean",)),
    # Asks for another behaviour than the only one there is:
    "training: {load_best_model_at_end: false}": ("unknown key training.load_best_model_at_end", ()),
    "training: {eval_strategy: steps}": ("unknown key training.eval_strategy; did you mean eval_steps?", ()),
}


@pytest.mark.parametrize(("text", "named"), UNKNOWN_KEYS.items())
def test_an_unknown_key_of_a_config_names_the_setting_that_is_meant(write, text, named):
    _, (warning,) = parse_leniently(TrainerConfig, read_documents(write(CONFIG + text))[0])
    must, must_not = named
    assert must in warning
    assert not [part for part in must_not if part in warning.partition("unknown key")[2]]


KEYS_OF_A_JOB = {
    "  epochs: 3\n": "unknown key spec.epochs; did you mean spec.training.numTrainEpochs?",
    "  training: {num_train_epochs: 3}\n": "spec.training.num_train_epochs; did you mean numTrainEpochs?",
    "  training: {batch_size: 3}\n": "did you mean perDeviceTrainBatchSize?",
    "  dataset_path: s3://a-b/c\n": "did you mean spec.dataset.train?",
    "  model_name_or_path: a/b\n": "did you mean spec.model.source?",
    "  r: 8\n": "did you mean spec.lora.r?",
    "lora: {r: 8}\n": "unknown key lora; did you mean spec.lora?",
    "  training.numTrainEpochs: 3\n": "write it as spec: {training: {numTrainEpochs: ...}}.",
    # An API server rejects it, so it is rejected here.
    "  training: {load_best_model_at_end: true}\n": "unknown key spec.training.load_best_model_at_end.",
}


@pytest.mark.parametrize(("text", "message"), KEYS_OF_A_JOB.items())
def test_an_unknown_key_of_a_job_names_the_setting_in_camel_case(write, text, message):
    with pytest.raises(UserError) as caught:
        parse_strictly(FineTuneJob, read_documents(write(JOB + text))[0])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("epochs", "training.num_train_epochs"),
        ("learning_rate", "training.learning_rate"),
        ("training.batch_size", "per_device_train_batch_size"),
    ],
)
def test_an_override_names_the_setting_that_is_meant(path, meant):
    with pytest.raises(UserError, match=rf"--set {path}: unknown key \w+; did you mean {meant}\?"):
        apply_overrides(TrainerConfig, {}, {path: 3}, "--set")


ALWAYS_SO = [
    "training: {load_best_model_at_end: true}",
    "training: {eval_strategy: steps, eval_steps: 10}",
    "training: {evaluation_strategy: epoch, save_strategy: epoch}",
    "training: {remove_unused_columns: false}",
    "lora: {bias: none, task_type: CAUSAL_LM}",
    "trust_remote_code: false",
    "finetuning_type: lora",
]


@pytest.mark.parametrize("text", ALWAYS_SO)
def test_a_key_that_asks_for_what_is_always_done_is_accepted(write, text):
    assert parse_leniently(TrainerConfig, read_documents(write(CONFIG + text))[0])[1] == []


VALUES = {
    "loss: {use_focal: true, use_label_smoothing: true}": (
        "file.yaml:2: loss: set loss.use_focal or loss.use_label_smoothing, not both: remove "
        "use_label_smoothing to keep the focal loss, or use_focal to keep label smoothing.",
        ("useFocal", "useLabelSmoothing"),
    ),
    "training: {save_steps: 3, eval_steps: 2}": (
        "save_steps must be a multiple of eval_steps",
        ("saveSteps",),
    ),
    "training: {fsdp: true, torch_compile: true}": ("fsdp and torch_compile are", ("torchCompile",)),
    "early_stopping: {mode: max}": ("early_stopping.mode must be", ("earlyStopping",)),
    "evaluation: {gate: {metric: nted}}": (
        "needs minimum, minimum_improvement or per_field",
        ("minimumImp",),
    ),
    "augmentation: {rotation_range: [5, -5]}": ("augmentation.rotation_range must be", ("rotationRange",)),
    "output_uri: models/invoices": ("output_uri must be an s3:// URI such as s3://team-models", ("^",)),
    "storage: {endpoint: localhost}": ("storage.endpoint must be a URL such as https://", ("^", "pattern")),
    "feature_cache: {max_size: 5 GB}": (
        "max_size must be a number of bytes above 0, such as 500M",
        ("^", "pattern"),
    ),
    "training: {report_to: tensorboard}": ("report_to must be a list: write [tensorboard].", ("valid list",)),
}


@pytest.mark.parametrize(("text", "named"), VALUES.items())
def test_a_wrong_value_is_described_in_words_and_in_the_spelling_of_the_file(write, text, named):
    with pytest.raises(UserError) as caught:
        parse_strictly(TrainerConfig, read_documents(write(CONFIG + text, "file.yaml"))[0])
    must, must_not = named
    assert must in str(caught.value)
    assert not [part for part in must_not if part in str(caught.value)]


def test_a_missing_key_is_named_in_the_spelling_of_the_file(write):
    with pytest.raises(UserError, match="dataset_path is required"):
        parse_strictly(TrainerConfig, read_documents(write("output_dir: out"))[0])


def test_every_pattern_has_words():
    def patterns(schema: object) -> set[str]:
        if isinstance(schema, list):
            return set().union(*map(patterns, schema))
        if not isinstance(schema, dict):
            return set()
        here = {schema["pattern"]} if isinstance(schema.get("pattern"), str) else set()
        return here.union(*map(patterns, schema.values()))

    models = (TrainerConfig, ExperimentsFile, FineTuneJobSpec)
    schemas = [model.model_json_schema() for model in models]
    found = set().union(*map(patterns, schemas))
    assert len(found) > 5
    assert found - PATTERN_WORDS.keys() == set()


READERS = {
    "finscribe train": lambda path: load_config(path, {}),
    "finscribe run": read_manifest,
    "finscribe experiments run": read_experiments,
}


@pytest.mark.parametrize(
    ("text", "read", "message"),
    [
        (JOB, "finscribe train", "this is a FineTuneJob, not a config of the trainer. Run: finscribe run "),
        (f"{JOB}---\n{JOB}", "finscribe train", "this is a FineTuneJob"),
        (JOB, "finscribe experiments run", "Run: finscribe run "),
        (CONFIG, "finscribe run", "this is a config of the trainer, not a FineTuneJob. Run: finscribe train"),
        (CONFIG, "finscribe experiments run", "Run: finscribe train --config "),
        (EXPERIMENTS, "finscribe train", "this is a file of experiments"),
        (EXPERIMENTS, "finscribe run", "Run: finscribe experiments run "),
    ],
)
def test_a_file_of_another_command_names_that_command(write, text, read, message):
    with pytest.raises(UserError) as caught:
        READERS[read](write(text))
    assert message in str(caught.value)
    assert "unknown key" not in str(caught.value)
