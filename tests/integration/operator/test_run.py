"""`finscribe run` with the real trainer."""

import signal

import pytest

CHECKPOINT = "/checkpoints/checkpoint-2/manifest.json"
EXIT_RETRY, EXIT_USER_ERROR = 75, 78


@pytest.mark.timeout(900)
async def test_an_interrupted_run_resumes_from_its_checkpoint_and_completes(project):
    project.write_job(epochs=8, evalSteps=2, saveSteps=2)
    process = await project.start()
    await project.until(lambda: bool(project.keys(CHECKPOINT)), process)
    process.send_signal(signal.SIGINT)
    code, output = await project.finish(process)
    assert code == EXIT_RETRY, output
    assert "finscribe run job.yaml" in output
    assert not project.keys("results/latest.json")

    code, output = await project.run()
    assert code == 0, output
    assert project.status["summary"]["state"] == "Complete"
    run = project.status["run"]
    assert "checkpoint-" in run["resumedFrom"]
    assert run["attempts"] == 2
    assert 0 < float(run["goodput"]["ratio"]) < 1
    assert "in 2 attempts." in output
    assert project.keys("results/latest.json")
    assert project.keys("/adapter/adapter_model.safetensors")

    code, output = await project.run()
    assert code == 0, output
    assert project.status["run"]["outputs"]["adapter"] in output
    assert "Running=True" not in output


@pytest.mark.timeout(600)
async def test_a_job_with_the_longest_name_keeps_its_run_though_a_cluster_would_delete_it(project):
    text = project.job.read_text().replace("name: invoices", f"name: {'i' * 63}")
    project.job.write_text(text.replace("  output:\n", "  ttlSecondsAfterFinished: 0\n  output:\n"))
    code, output = await project.run()
    assert code == 0, output

    code, output = await project.run()
    assert code == 0 and "Running=True" not in output, output
    objects = project.directory / ".finscribe/objects"
    (job,) = objects.glob("Job/default/*.json")
    assert job.stem.startswith("i" * 52 + "-") and len(project.keys(f"{job.stem}/manifest.json")) == 1


async def test_an_error_in_the_manifest_is_reported_with_file_and_line(project):
    project.job.write_text(project.job.read_text().replace("numTrainEpochs", "numTrainEpoch"))
    code, output = await project.run()

    assert code == EXIT_USER_ERROR, output
    assert "job.yaml:12: unknown key spec.training.numTrainEpoch; did you mean numTrainEpochs?" in output


async def test_a_dry_run_checks_with_the_trainer_and_leaves_bucket_and_folder_as_they_are(project):
    before = project.server.keys(project.bucket)
    code, output = await project.run("--dry-run")
    assert code == 0, output
    assert "Everything was checked, and nothing trained" in output
    assert project.server.keys(project.bucket) == before
    assert [path.name for path in project.directory.iterdir()] == ["job.yaml"]

    project.server.client().delete_object(Bucket=project.bucket, Key="model/tokenizer.json")
    code, output = await project.run("--dry-run")
    assert code == EXIT_USER_ERROR, output
    assert f"s3://{project.bucket}/model contains no tokenizer" in output
