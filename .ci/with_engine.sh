#!/usr/bin/env bash
# Run a command on a machine that may have no container engine yet.
#
#   .ci/with_engine.sh make rehearse
#
# A running engine is used and left alone. Otherwise one is started, and stopped after the command; it
# is installed first if it is missing. So is mmdebstrap, which makes the stand-in base image, if
# neither the real image nor the stand-in is available. Both come from the distribution: Debian or
# Ubuntu, as root.
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
    # A separate folder for its state: what a killed engine left behind can't be mistaken for a
    # running one.
    setsid dockerd --pidfile "$pid_file" --exec-root "$folder/run" >"$folder/dockerd.log" 2>&1 &
    wait_for_engine
fi
has_base || command -v mmdebstrap >/dev/null || install mmdebstrap

"$@"
