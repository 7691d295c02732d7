# syntax=docker/dockerfile:1
# Two images: `docker build --target operator .` and `docker build --target trainer .`
# Packages come from uv.lock with their hashes; the project itself is the last, small layer.

FROM python:3.11-slim-bookworm AS base
ENV PATH=/opt/finscribe/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
RUN groupadd --gid 65532 nonroot \
    && useradd --uid 65532 --gid 65532 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin nonroot
LABEL org.opencontainers.image.source="https://github.com/finscribe/finscribe" \
      org.opencontainers.image.licenses="Apache-2.0"

# What makes images, and is in none of them.
FROM base AS tools
RUN python -m venv /uv && /uv/bin/pip install --no-cache-dir uv==0.13.9
WORKDIR /source

# A stage of its own: a change of pyproject.toml that changes no package rebuilds no package layer.
FROM tools AS requirements
COPY pyproject.toml uv.lock ./
RUN for side in operator trainer; do \
        /uv/bin/uv export --frozen --no-dev --no-emit-project --extra $side --output-file /$side.txt --quiet; \
    done

FROM tools AS wheel
COPY pyproject.toml README.md LICENSE ./
COPY finscribe_core finscribe_core
COPY operator operator
COPY trainer_image trainer_image
RUN /uv/bin/uv build --wheel --out-dir /wheel

FROM base AS operator
LABEL org.opencontainers.image.title="FinScribe operator"
RUN --mount=type=bind,from=tools,source=/uv,target=/uv \
    --mount=type=bind,from=requirements,source=/operator.txt,target=/requirements.txt \
    --mount=type=cache,target=/root/.cache/uv \
    /uv/bin/uv venv /opt/finscribe \
    && /uv/bin/uv pip install --python /opt/finscribe --link-mode copy --compile-bytecode \
        --require-hashes --requirement /requirements.txt
RUN --mount=type=bind,from=tools,source=/uv,target=/uv \
    --mount=type=bind,from=wheel,source=/wheel,target=/wheel \
    /uv/bin/uv pip install --python /opt/finscribe --no-cache --no-deps --compile-bytecode /wheel/*.whl
USER 65532:65532
ENTRYPOINT ["python", "-m", "finscribe_operator"]

FROM base AS trainer
LABEL org.opencontainers.image.title="FinScribe trainer"
RUN --mount=type=bind,from=tools,source=/uv,target=/uv \
    --mount=type=bind,from=requirements,source=/trainer.txt,target=/requirements.txt \
    --mount=type=cache,target=/root/.cache/uv \
    /uv/bin/uv venv /opt/finscribe \
    && /uv/bin/uv pip install --python /opt/finscribe --link-mode copy --compile-bytecode \
        --require-hashes --requirement /requirements.txt
RUN --mount=type=bind,from=tools,source=/uv,target=/uv \
    --mount=type=bind,from=wheel,source=/wheel,target=/wheel \
    /uv/bin/uv pip install --python /opt/finscribe --no-cache --no-deps --compile-bytecode /wheel/*.whl
USER 65532:65532
ENTRYPOINT ["finscribe"]
