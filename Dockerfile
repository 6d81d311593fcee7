# The connector as Airbyte runs it. `docker build -t airbyte/source-streak:dev .` or `make image`.
ARG BASE_IMAGE=docker.io/airbyte/python-connector-base:4.1.0@sha256:1d1aa21d34e851df4e8a87b391c27724c06e2597608e7161f4d167be853bd7b6
FROM ${BASE_IMAGE}

USER root
WORKDIR /airbyte/integration_code
RUN python3 -m venv /airbyte/venv

# What it needs, exactly as tested: a layer that only a change of the lock file builds again.
COPY poetry.lock /airbyte/lock/
COPY tools/requirements.py /airbyte/lock/tools/
RUN python3 /airbyte/lock/tools/requirements.py main >/airbyte/lock/requirements.txt \
    && /airbyte/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps \
        --requirement /airbyte/lock/requirements.txt

COPY pyproject.toml README.md ./
COPY source_streak ./source_streak
RUN /airbyte/venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps . \
    && /airbyte/venv/bin/python -m compileall -q /airbyte/venv/lib

ARG VERSION=0.1.0
LABEL io.airbyte.name=airbyte/source-streak io.airbyte.version=${VERSION}
ENV AIRBYTE_ENTRYPOINT=/airbyte/venv/bin/source-streak
USER 1000
ENTRYPOINT ["/airbyte/venv/bin/source-streak"]
