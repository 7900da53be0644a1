#!/usr/bin/env bash
# Builds the images, starts a deployment of its own, lets one person answer and another one hear it, and takes all of it
# away again.
#
#   deploy/smoke.sh            one of each
#   deploy/smoke.sh cluster    three NATS servers, two of each service
#
# Exit codes: 0 all is well; 1 something answered wrongly or not at all; 2 wrong arguments; 3 there is no container engine;
# 4 an image could not be built; 5 something did not become healthy.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly PATIENCE=300 # seconds for everything to become healthy; images are there by then

fail() {
    echo "smoke: $2" >&2
    exit "$1"
}

options=()
case "${1:-}" in
    "") ;;
    cluster) options=(--env-file deploy/cluster.env --profile cluster) ;;
    *) fail 2 "usage: deploy/smoke.sh [cluster]" ;;
esac

# Its own names, volumes and ports: a deployment on the same machine is left alone.
export TANDEM_VERSION=smoke TANDEM_HOST=localhost TANDEM_HTTP_PORT="${TANDEM_HTTP_PORT:-8080}"
export TANDEM_HTTPS_PORT="${TANDEM_HTTPS_PORT:-8443}"

compose() {
    docker compose --project-name tandem-smoke "${options[@]}" "$@"
}

docker compose version > /dev/null 2>&1 || fail 3 "docker compose is not installed"
docker info > /dev/null 2>&1 || fail 3 "no container engine answers"

mkdir -p deploy/secrets
compose build || fail 4 "an image could not be built"
compose run --rm --no-deps --user "$(id -u)" secrets || fail 4 "the secrets could not be made"

trap 'compose down --volumes --timeout 30 > /dev/null 2>&1 || true' EXIT

if ! compose up --detach --wait --wait-timeout "$PATIENCE"; then
    compose ps --all >&2
    compose logs --tail 20 >&2
    fail 5 "something did not become healthy"
fi

compose exec -T connection python - < deploy/smoke.py || fail 1 "somebody was not told, or the wrong one was"

stopping=$SECONDS
compose stop || fail 1 "it does not stop"
echo "smoke: stopped after $((SECONDS - stopping)) s"
killed=$(compose ps --all --format '{{.Service}} {{.ExitCode}}' | grep ' 137$' || true)
[[ -z "$killed" ]] || fail 1 "these had to be killed: $killed"
echo "smoke: all is well"
