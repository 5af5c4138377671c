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
RUN python -m compileall -q --invalidation-mode=unchecked-hash -s /layers/source /layers/source/app \
    && chmod -R u=rwX,go=rX /layers/source \
    && find /layers/source -exec touch --no-dereference --date=@0 {} +


FROM ${BASE_IMAGE}

# Nothing in the image can install anything.
RUN rm -rf "$(python -c 'import ensurepip; print(ensurepip.__path__[0])')" \
    && python -m pip uninstall --quiet --yes --root-user-action=ignore pip

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
