# The official image, or one pinned by digest: --build-arg BASE_IMAGE=python:3.13-slim@sha256:...
ARG BASE_IMAGE=python:3.13-slim


FROM ${BASE_IMAGE} AS build

# Bytecode must not depend on the order of a set, nor files on when and by whom they were made:
# the same commit gives the same layers, and a layer that is in the registry is not pushed again.
ENV PYTHONHASHSEED=0

# Each folder under /layers becomes one layer of the image, laid over its root.
COPY requirements.txt /build/
RUN python -m pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
        --require-hashes --no-deps --only-binary=:all: --no-compile \
        --target=/layers/dependencies/app/dependencies --requirement=/build/requirements.txt \
    && rm -rf /layers/dependencies/app/dependencies/bin \
    && python -m compileall -q --invalidation-mode=unchecked-hash \
        -s /layers/dependencies /layers/dependencies/app \
    && chmod -R u=rwX,go=rX /layers/dependencies \
    && find /layers/dependencies -exec touch --no-dereference --date=@0 {} +

COPY src/micro_etl /layers/source/app/source/micro_etl
# The project's own datasets stand beside the bundled ones: DATASET names them in the same way.
COPY datasets /layers/source/app/source/micro_etl/datasets
RUN python -m compileall -q --invalidation-mode=unchecked-hash -s /layers/source /layers/source/app \
    && chmod -R u=rwX,go=rX /layers/source \
    && find /layers/source -exec touch --no-dereference --date=@0 {} +


FROM ${BASE_IMAGE}

# Python's own modules stay as the base has them, which is without bytecode: compiling all of them
# would save a task a second on a quarter of a CPU, and add 4 MB to what it pulls.
#
# Nothing in the image can install anything. This is the one layer that is not the same each time, a
# few hundred bytes: what is removed leaves marks, and no builder lets their time be set.
RUN export PYTHONDONTWRITEBYTECODE=1 \
    && set -- $(python -c 'import sysconfig as it; print(*map(it.get_path, ("stdlib", "purelib", "scripts")))') \
    && rm -rf "$1"/ensurepip "$2"/pip "$2"/pip-*.dist-info "$3"/pip* \
    && touch --date=@0 "$@"

COPY --from=build /layers/dependencies/ /
COPY --from=build /layers/source/ /

# No module is looked up in the working folder, which anybody may write to.
ENV PYTHONPATH=/app/source:/app/dependencies \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp

# The one place that is written to. Where the root is read-only, Fargate mounts a volume here and
# gives it the owner and the mode (root, 1777) of the image's folder only if that is declared so;
# without the declaration it belongs to root alone.
VOLUME /tmp
WORKDIR /tmp
USER 10001:10001

ENTRYPOINT ["python", "-m", "micro_etl"]
CMD ["run"]

ARG REVISION=unknown
ARG VERSION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="micro-etl" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.source="${SOURCE}"
