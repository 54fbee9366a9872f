#!/usr/bin/env bash
# test.sh [pytest arguments]: install what the tests need, run them, and end with pytest's own summary.
# As root on Debian or Ubuntu that includes system packages and a Docker engine; nobody else's system is touched.
set -euo pipefail
cd "$(dirname "$0")/.."
docker_pid=""

say() { echo "test: $*" >&2; }

install_packages() {
  local missing=()
  wants() { command -v "$1" >/dev/null || missing+=("$2"); }
  wants dockerd docker.io
  wants mmdebstrap mmdebstrap
  wants iptables iptables
  wants ssh openssh-client
  wants curl curl
  wants wget wget
  wants openssl openssl
  wants zsh zsh
  wants jq jq
  wants systemd-analyze systemd
  wants cc gcc
  [ -f /usr/include/stdlib.h ] || missing+=(libc6-dev)
  [[ $(ldconfig -p) == *libgomp.so.1* ]] || missing+=(libgomp1)
  [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
  dpkg -s busybox-static >/dev/null 2>&1 || missing+=(busybox-static)
  [ -n "$(/usr/bin/python3 -c 'import ensurepip; print(1)' 2>/dev/null)" ] || missing+=(python3-venv)
  if [ ${#missing[@]} -gt 0 ]; then
    say "running as root, so these system packages are installed: ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  fi
  if ! command -v docker >/dev/null; then   # newer Debian ships the command line apart from the engine
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker-cli >/dev/null
  fi
}

docker_answers() { timeout 20 docker version >/dev/null 2>&1; }

start_docker() {
  local log=${TMPDIR:-/tmp}/llmstack-test-dockerd.log left
  left=$(cat /var/run/docker.pid 2>/dev/null || true)
  if [ -n "$left" ] && [ "$(cat "/proc/$left/comm" 2>/dev/null)" != dockerd ]; then rm -f /var/run/docker.pid; fi
  say "no Docker engine answers, so one is started for the tests and stopped after them (log: $log)"
  setsid dockerd >"$log" 2>&1 </dev/null &
  docker_pid=$!
  for _ in $(seq 120); do
    if docker_answers; then return; fi
    if ! kill -0 "$docker_pid" 2>/dev/null; then break; fi
    sleep 0.5
  done
  say "the Docker engine did not start; its last words:"
  tail -n 5 "$log" >&2
}

stop_docker() {
  if [ -n "$docker_pid" ] && kill "$docker_pid" 2>/dev/null; then wait "$docker_pid" || true; fi
}
trap stop_docker EXIT

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  install_packages
  docker_answers || start_docker
fi
gate=()
if ! docker_answers; then
  say "no Docker engine answers, so the tests that need one cannot run: $(docker version 2>&1 >/dev/null | tail -n 1)"
elif [ "$(id -u)" = 0 ] && [ $# = 0 ]; then
  gate=(--cov-fail-under=90)
fi
if [ "$(id -u)" != 0 ]; then
  say "not root: nothing is installed, and coverage is shown but not judged; what could not run is listed in the end"
fi

scripts/setup.sh dev
marks=(-m "not slow")
case " $* " in *" -m "*) marks=() ;; esac
.venv/bin/python -m pytest -n "${JOBS:-2}" --dist loadfile "${marks[@]}" --cov --cov-report=term "${gate[@]}" "$@"
