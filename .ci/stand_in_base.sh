#!/usr/bin/env bash
# Make a stand-in for python:3.13-slim from Debian's packages, for machines that cannot pull it.
#
#   .ci/stand_in_base.sh IMAGE     e.g. .ci/stand_in_base.sh python-stand-in:3.13-slim
#
# It is Debian trixie, as the real image is, with Debian's own python3.13. A virtual environment laid
# over /usr/local puts python, pip and site-packages where the real image has them. There is no
# bytecode, as there is none there: a start takes what it takes on the real one. It is for
# rehearsals only: nothing that is deployed may be built on it, and its label says so.
#
# The packages come from the Debian mirror that apt on this machine is set up with. Where
# SSL_CERT_FILE is set, the certificates in it become the image's trust store: a network that needs
# its own authority needs it inside builds too.
set -euo pipefail

image=${1:?usage: $0 IMAGE}
engine=${CONTAINER_ENGINE:-docker}

# shellcheck disable=SC2016 # the names in dollars are apt's
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 'Origin: Debian' |
    awk '$2 !~ /-/ { print $1; exit }')
if [[ -z $mirror ]]; then
    echo "$0: apt on this machine has no Debian mirror configured (is this Debian? was apt-get update run?)" >&2
    exit 1
fi

trust=()
if [[ -n ${SSL_CERT_FILE:-} ]]; then
    trust=(--customize-hook="upload $SSL_CERT_FILE /etc/ssl/certs/ca-certificates.crt")
fi

echo "making a stand-in for python:3.13-slim from Debian's packages: $image" >&2
# shellcheck disable=SC2016 # the hook is a program of its own, $1 its argument
mmdebstrap --quiet --variant=minbase --mode=root \
    --include=ca-certificates,netbase,python3.13,python3.13-venv,tzdata \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    "${trust[@]}" \
    --customize-hook='chroot "$1" python3.13 -m venv /usr/local' \
    --customize-hook='find "$1/usr" -name "*.pyc" -delete' \
    trixie - "$mirror" |
    "$engine" import \
        --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
        --change 'CMD ["python3"]' \
        --change 'LABEL micro-etl.stand-in="for python:3.13-slim, made from Debian packages, for rehearsals only"' \
        - "$image" >&2
