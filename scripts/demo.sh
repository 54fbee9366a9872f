#!/usr/bin/env bash
# demo.sh PROMPT: set up, start the demo model on the embedded engine, ask it, and print its answer.
set -euo pipefail
cd "$(dirname "$0")/.."
prompt=${1:?usage: demo.sh PROMPT}
scripts/setup.sh demo
.venv/bin/invoke up --model demo
echo
echo "> $prompt"
.venv/bin/invoke ask --model demo --prompt "$prompt"
echo
echo "It goes on answering.  Stop it:  .venv/bin/invoke down --model demo"
