"""Submits a job, waits for its end, and downloads the adapter. Each `# %%` begins a cell of a notebook."""

# %%
from finscribe_client import Client, Job

client = Client()  # cluster and namespace of your kubeconfig's current context
job = client.submit("examples/paddleocr-vl.yaml")  # checked first; the same file again changes nothing
print(job.name, job.state)


# %%
def show(job: Job) -> None:
    """Called whenever the job has changed."""
    print(job.state, job.status.summary.progress, job.status.metrics.train_loss)


job = client.wait(job.name, timeout=24 * 3600, on_change=show)

# %%
if job.state == "Complete":
    print("validation loss:", job.status.metrics.eval_loss)
    done = client.download(job.name, only=["adapter"])  # with your own AWS credentials
    print(done.folder, *done.fetched)
else:
    reason, message = job.explanation
    print(reason, message)
