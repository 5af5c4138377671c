#!/usr/bin/env bash
# Runs a command on a machine that may have no container engine yet.
#
#   .ci/with_engine.sh make rehearse
#
# An engine that answers already is used and left alone. Where none does, one is started, and stopped
# when the command is done; where there is none, it is installed first. The same goes for mmdebstrap,
# which makes the stand-in base image, where neither that image nor the real one can be had. Both come
# from the distribution: Debian or Ubuntu, as root.
set -euo pipefail

folder=$(mktemp -d)
pid_file=$folder/dockerd.pid

stop_engine() {
    if [[ -s $pid_file ]]; then
        local pid
        pid=$(<"$pid_file")
        kill "$pid"
        timeout 60 tail --pid="$pid" --follow /dev/null
    fi
    rm -rf "$folder"
}
trap stop_engine EXIT

answers() { docker info >/dev/null 2>&1; }

wait_for_engine() {
    for _ in $(seq 300); do
        if answers; then return; fi
        sleep 0.2
    done
    echo "$0: dockerd does not answer; the end of its log:" >&2
    tail -n 20 "$folder/dockerd.log" >&2
    return 1
}

install() {
    apt-get update --quiet --quiet
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes "$1"
}

has_base() {
    docker image inspect python:3.13-slim >/dev/null 2>&1 ||
        docker image inspect python-stand-in:3.13-slim >/dev/null 2>&1 ||
        docker pull --quiet python:3.13-slim >/dev/null 2>&1
}

if ! answers; then
    command -v dockerd >/dev/null || install docker.io
    # A session of its own: Ctrl-C is for the command, whose containers still need the engine.
    # Its running state has a folder of its own: what an engine that was killed has left can't be
    # taken for one that runs.
    setsid dockerd --pidfile "$pid_file" --exec-root "$folder/run" >"$folder/dockerd.log" 2>&1 &
    wait_for_engine
fi
has_base || command -v mmdebstrap >/dev/null || install mmdebstrap

"$@"
