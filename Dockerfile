# syntax=docker/dockerfile:1
# Three images: `docker build --target operator .`, and likewise `trainer` and `ui`, the web view of a cluster.
# Packages are installed from uv.lock, with hashes; the project itself is the last and smallest layer.

# USER is the name of a user that a platform assigns and /etc/passwd lacks: PyTorch names its caches by it.
FROM python:3.11-slim-bookworm AS base
ENV PATH=/opt/finscribe/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    USER=nonroot
RUN groupadd --gid 65532 nonroot \
    && useradd --uid 65532 --gid 65532 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin nonroot \
    && python -m venv --without-pip /opt/finscribe
LABEL org.opencontainers.image.licenses="Apache-2.0"

FROM base AS tools
RUN python -m venv /uv && /uv/bin/pip install --no-cache-dir uv==0.13.9
WORKDIR /source

# A separate stage, so that changes of pyproject.toml that change no package keep the package layers cached.
FROM tools AS requirements
COPY pyproject.toml uv.lock ./
RUN for side in operator trainer; do \
        /uv/bin/uv export --frozen --no-dev --no-emit-project --extra $side --output-file /$side.txt --quiet; \
    done

# Only the code (.dockerignore excludes everything else), installed into an empty environment.
FROM tools AS code
COPY . .
RUN /uv/bin/uv build --wheel --out-dir /wheel \
    && /uv/bin/uv pip install --python /opt/finscribe --no-cache --no-deps --compile-bytecode /wheel/*.whl

# uv is in a cache mount during the install, so that no image contains it and packages are copied only once.
FROM base AS operator
LABEL org.opencontainers.image.title="FinScribe operator"
COPY --from=requirements /operator.txt /opt/finscribe/requirements.txt
RUN --mount=type=cache,target=/uv --mount=type=cache,target=/root/.cache/uv \
    python -m venv /uv && /uv/bin/pip install --quiet --no-cache-dir uv==0.13.9 \
    && /uv/bin/uv pip install --python /opt/finscribe --link-mode copy --compile-bytecode \
        --require-hashes --requirement /opt/finscribe/requirements.txt
COPY --from=code /opt/finscribe /opt/finscribe
USER 65532:65532
ENTRYPOINT ["python", "-m", "finscribe_operator"]

FROM base AS trainer
LABEL org.opencontainers.image.title="FinScribe trainer"
COPY --from=requirements /trainer.txt /opt/finscribe/requirements.txt
RUN --mount=type=cache,target=/uv --mount=type=cache,target=/root/.cache/uv \
    python -m venv /uv && /uv/bin/pip install --quiet --no-cache-dir uv==0.13.9 \
    && /uv/bin/uv pip install --python /opt/finscribe --link-mode copy --compile-bytecode \
        --require-hashes --requirement /opt/finscribe/requirements.txt
COPY --from=code /opt/finscribe /opt/finscribe
USER 65532:65532
ENTRYPOINT ["python", "-m", "finscribe_trainer"]

# Its stages are the last ones, so that builds of the other images run none of them.
FROM requirements AS ui-requirements
RUN /uv/bin/uv export --frozen --no-dev --no-emit-project --extra ui --output-file /ui.txt --quiet

FROM base AS ui
LABEL org.opencontainers.image.title="FinScribe web view"
COPY --from=ui-requirements /ui.txt /opt/finscribe/requirements.txt
RUN --mount=type=cache,target=/uv --mount=type=cache,target=/root/.cache/uv \
    python -m venv /uv && /uv/bin/pip install --quiet --no-cache-dir uv==0.13.9 \
    && /uv/bin/uv pip install --python /opt/finscribe --link-mode copy --compile-bytecode \
        --require-hashes --requirement /opt/finscribe/requirements.txt
COPY --from=code /opt/finscribe /opt/finscribe
USER 65532:65532
ENTRYPOINT ["python", "-m", "finscribe_client.ui"]
