"""`finscribe run` with the real trainer."""

import signal

import pytest

CHECKPOINT = "/checkpoints/checkpoint-2/manifest.json"
EXIT_RETRY, EXIT_USER_ERROR = 75, 78


@pytest.mark.timeout(900)
async def test_an_interrupted_run_goes_on_from_its_checkpoint_and_is_then_complete(desk):
    desk.write_job(epochs=8, evalSteps=2, saveSteps=2)
    process = await desk.start()
    await desk.until(lambda: bool(desk.keys(CHECKPOINT)), process)
    process.send_signal(signal.SIGINT)
    code, output = await desk.finish(process)
    assert code == EXIT_RETRY, output
    assert "finscribe run job.yaml" in output
    assert not desk.keys("results/latest.json")

    code, output = await desk.run()
    assert code == 0, output
    assert desk.status["summary"]["state"] == "Complete"
    assert "checkpoint-" in desk.status["run"]["resumedFrom"]
    assert desk.keys("results/latest.json")
    assert desk.keys("/adapter/adapter_model.safetensors")

    code, output = await desk.run()
    assert code == 0, output
    assert desk.status["run"]["outputs"]["adapter"] in output
    assert "Running=True" not in output


async def test_a_missing_dataset_fails_the_job_with_its_reason(desk):
    desk.server.client().delete_object(Bucket=desk.bucket, Key="train.jsonl")
    code, output = await desk.run()

    assert code == EXIT_USER_ERROR, output
    assert "Failed=True DatasetNotFound" in output
    assert f"s3://{desk.bucket}/train.jsonl" in output


async def test_a_bad_manifest_is_named_with_file_and_line(desk):
    desk.job.write_text(desk.job.read_text().replace("numTrainEpochs", "numTrainEpoch"))
    code, output = await desk.run()

    assert code == EXIT_USER_ERROR, output
    assert "job.yaml:12: unknown key spec.training.numTrainEpoch; did you mean numTrainEpochs?" in output
