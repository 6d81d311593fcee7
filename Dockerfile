# The connector as Airbyte runs it. `docker build -t source-streak:dev .` or `make image`.
ARG BASE_IMAGE=docker.io/airbyte/python-connector-base:4.1.0@sha256:1d1aa21d34e851df4e8a87b391c27724c06e2597608e7161f4d167be853bd7b6
FROM ${BASE_IMAGE}

USER 0
WORKDIR /airbyte/integration_code
# Without a pip of its own: the base's installs into it.
RUN python3 -m venv --without-pip /airbyte/venv

# What it needs, exactly as tested: a layer that only a change of the lock file builds again. Less the tests of others, and
# compiled but for the libraries that airbyte-cdk brings along and this connector never imports: docs/performance.md has the figures.
COPY poetry.lock /airbyte/lock/
COPY tools/requirements.py /airbyte/lock/tools/
RUN python3 /airbyte/lock/tools/requirements.py main >/airbyte/lock/requirements.txt \
    && python3 -m pip --python /airbyte/venv/bin/python install --no-cache-dir --disable-pip-version-check --no-compile \
        --require-hashes --no-deps --requirement /airbyte/lock/requirements.txt \
    && find /airbyte/venv/lib -type d -name tests -prune -exec rm -r {} + \
    && python3 -m compileall -q -j 0 -x '/site-packages/(google|grpc|nltk|numpy|pandas|setuptools)/' /airbyte/venv/lib

COPY pyproject.toml README.md ./
COPY source_streak ./source_streak
RUN python3 -m pip --python /airbyte/venv/bin/python install --no-cache-dir --disable-pip-version-check --no-deps .

# pyproject.toml's version: a label cannot be read from a file, so a test holds the two equal.
ARG VERSION=0.1.0
LABEL io.airbyte.name=ghcr.io/OWNER/source-streak io.airbyte.version=${VERSION}
# The framework wants a temporary folder, into which it writes the settings. This one is memory, and there is no other where the
# root file system is read-only.
ENV TMPDIR=/dev/shm
ENV AIRBYTE_ENTRYPOINT=/airbyte/venv/bin/source-streak
USER 1000
ENTRYPOINT ["/airbyte/venv/bin/source-streak"]
