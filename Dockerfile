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

# The base has no bytecode of Python's own modules, and a task can't write any: on a quarter of a CPU
# that is half a second of its start. Compiled are those that a run imports, as a run here tells.
RUN mkdir /build/served \
    && echo '[{"id": 1}]' > /build/served/records \
    && printf 'name = "build"\n[columns]\nid = { type = "int32" }\n' > /build/build.toml \
    && { python -m http.server --bind 127.0.0.1 --directory /build/served 8000 > /dev/null 2>&1 & server=$!; } \
    && PYTHONPYCACHEPREFIX=/nowhere PYTHONDONTWRITEBYTECODE=1 \
        PYTHONPATH=/layers/source/app/source:/layers/dependencies/app/dependencies \
        DATASET=/build/build.toml SOURCE_URL=http://127.0.0.1:8000/records TARGET_URL=/build/table.parquet \
        python -v -m micro_etl run > /build/run.log 2>&1 \
    && kill $server \
    && sed -n "s|^# code object from \($(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')/.*\.py\)$|\1|p" /build/run.log \
        | sort -u > /build/modules \
    && mkdir /layers/python \
    && xargs cp --parents --target-directory=/layers/python < /build/modules \
    && python -m compileall -q --invalidation-mode=unchecked-hash -s /layers/python -p / \
        /layers/python \
    && find /layers/python -name '*.py' -delete \
    && chmod -R u=rwX,go=rX /layers/python \
    && find /layers/python -exec touch --no-dereference --date=@0 {} +


FROM ${BASE_IMAGE}

# Nothing in the image can install anything. This is the one layer that is not the same each time, a
# few hundred bytes: what is removed leaves marks, and no builder lets their time be set.
RUN export PYTHONDONTWRITEBYTECODE=1 \
    && set -- $(python -c 'import sysconfig as it; print(*map(it.get_path, ("stdlib", "purelib", "scripts")))') \
    && rm -rf "$1"/ensurepip "$2"/pip "$2"/pip-*.dist-info "$3"/pip* \
    && touch --date=@0 "$@"

COPY --from=build /layers/python/ /
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
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="micro-etl" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
