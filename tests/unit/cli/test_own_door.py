"""The comforts of the installed door."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

import llmstack
from llmstack.cli.argv import parse, wanted_format
from llmstack.cli.collection import VERBS
from llmstack.domain.names import RESERVED_NAMES
from llmstack.domain.selection import Selection
from llmstack.errors import UsageError, meanings
from tests.unit.cli.fake_app import CALLS

TASKS = {task.name: task for task in VERBS}


@pytest.mark.parametrize(
    ("line", "calls"),
    [
        ("up llama3 mistral", [("up", {"model": ["llama3", "mistral"]})]),
        ("up llama3 health llama3", [("up", {"model": ["llama3"]}), ("health", {"model": ["llama3"]})]),
        ("up -m a b", [("up", {"model": ["a", "b"]})]),
        ("-o json -q up a -o names", [("up", {"output": "names", "quiet": True, "model": ["a"]})]),
        ("up --output=json --timeout 5", [("up", {"output": "json", "timeout": "5"})]),
        ("up -ma -qo json", [("up", {"model": ["a"], "quiet": True, "output": "json"})]),
        ("up -o=json -m=a=b", [("up", {"output": "json", "model": ["a=b"]})]),
        ("up --no-wait --lock-wait 5", [("up", {"wait": False, "lock_wait": "5"})]),
        ("up --wait -l gpu --limit=!gpu02", [("up", {"wait": True, "host": ["gpu", "!gpu02"]})]),
        ("--timeout 5 -k logs sync", [("logs", {"keep_going": True}), ("sync", {"timeout": "5", "keep_going": True})]),
        ("up -- health --check -", [("up", {"model": ["health", "--check", "-"]})]),
        ("status -o names - -", [("status", {"output": "names", "model": ["-", "-"]})]),
        ("-q", []),
        ("", []),
    ],
)
def test_a_line_is_read_as_tasks_with_their_values(line, calls):
    assert parse(line.split(), TASKS) == calls


def test_a_question_needs_no_flag():
    question = "Why is the sky blue?"
    assert parse(["ask", "demo", question], TASKS) == [("ask", {"model": ["demo"], "prompt": question})]
    assert parse(["ask", question], TASKS) == [("ask", {"prompt": question})]
    assert parse(["ask", "why?"], TASKS) == [("ask", {"prompt": "why?"})]
    assert parse(["ask", "demo", "hello"], TASKS) == [("ask", {"model": ["demo"], "prompt": "hello"})]


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("ups", "no task 'ups'", "did you mean 'up'?"),
        ("frobnicate", "no task 'frobnicate'", "llmstack --list shows all tasks"),
        ("exit-codes", "no task 'exit-codes'", "did you mean 'help exit-codes'?"),
        ("completion bash", "no task 'completion'", "did you mean '--print-completion-script bash'?"),
        ("--verison", "no flag '--verison'", "did you mean '--version'?"),
        ("up --dry-run", "up: no flag '--dry-run'", "did you mean '--check'?"),
        ("--dry-run up", "no flag '--dry-run'", "it follows its task: up --check"),
        ("status --json", "status: no flag '--json'", "did you mean '--output'?"),
        ("up --modle x", "up: no flag '--modle'", "did you mean '--model'?"),
        ("up --nothing-like-it", "up: no flag '--nothing-like-it'", "llmstack up --help"),
        ("up -z", "up: no flag '-z'", "llmstack up --help"),
        ("up -qz", "up: no flag '-z'", "llmstack up --help"),
        ("up --waits", "up: no flag '--waits'", "did you mean '--wait'?"),
        ("down --model --check", "down: --model needs a value", "write --model VALUE"),
        ("up --no-check", "up: no flag '--no-check'", "did you mean '--check'?"),
        ("up --model", "up: --model needs a value", "write --model VALUE"),
        ("up -o json -o names", "up: --output is given twice", "once is enough"),
        ("up -q --quiet", "up: --quiet is given twice", "once is enough"),
        ("up --check=yes", "up: --check takes no value", "write --check, and nothing behind it"),
        ("--check up", "no flag '--check'", "it follows its task: up --check"),
        ("-- status", "`--` stands between a task and its names", "write TASK -- status"),
        ("--deep", "no flag '--deep'", "it follows its task: health --deep"),
        ("ps", "no task 'ps'", "did you mean 'status'?"),
        ("start llama3", "no task 'start'", "did you mean 'up'?"),
        ("ask a b c", "ask: --prompt is given twice", "once is enough"),
    ],
)
def test_what_cannot_be_is_told_with_what_could(line, message, hint):
    with pytest.raises(UsageError) as raised:
        parse(line.split(), TASKS)
    assert raised.value.message == message
    assert (raised.value.hint or "").startswith(hint)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("up -o json", "json"),
        ("up -ojson", "json"),
        ("up --output=ndjson", "ndjson"),
        ("up -o names", "text"),
        ("up json", "text"),
    ],
)
def test_a_format_for_machines_is_noticed_even_in_a_line_that_is_wrong(line, wanted):
    assert wanted_format(line.split()) == wanted


def test_bare_names_reach_the_app(own):
    own("up", "a", "b")
    assert CALLS[1][1] == Selection(models=("a", "b"))


def test_a_usage_error_ends_with_2_and_a_suggestion(own):
    ran = own("ups")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "error: no task 'ups'\n       did you mean 'up'?\n"


def test_a_usage_error_is_json_where_that_was_asked_for(own):
    ran = own("up", "--nope", "-o", "json")
    assert ran.code == 2
    assert ran.json["errors"][0]["class"] == "usage"


def test_a_wrong_value_late_in_the_line_stops_it_before_anything_runs(own):
    ran = own("up", "a", "down", "a", "--timeout", "soon")
    assert ran.code == 2
    assert CALLS == []


@pytest.mark.parametrize("words", [(), ("--help",), ("help",), ("-h",)])
def test_alone_or_asked_for_help_it_shows_its_tasks(own, words):
    ran = own(*words)
    assert ran.code == 0
    assert ran.out.startswith("Usage: llmstack TASK [NAME ...] [--flags] [TASK ...]\n")
    assert "  up " in ran.out


def test_help_is_for_one_task_at_a_time(own):
    ran = own("help", "up", "status")
    assert (ran.code, ran.err) == (2, "error: help is for one task at a time\n       llmstack help up\n")


@pytest.mark.parametrize("words", [("help", "up"), ("--help", "up"), ("up", "--help"), ("up", "a", "-h")])
def test_each_task_has_its_own_help(own, words):
    ran = own(*words)
    assert ran.code == 0
    assert ran.out.startswith("Usage: llmstack up [NAME ...] [--flags]\n\nStart what the inventory wants")
    assert "\n  --lock-wait TIME" in ran.out
    assert "\n  -l, --host, --limit PATTERN  " in ran.out
    assert "\n  -e, --extra KEY=VALUE  " in ran.out
    assert ran.out.endswith("Examples:\n  llmstack up --model demo\n  llmstack up --check --diff\n")
    assert CALLS == []
    assert own("help", "schema").out.startswith("Usage: llmstack schema [--flags]\n")


@pytest.mark.parametrize(
    ("line", "task"),
    [
        ("status --help up", "status"),
        ("status a up --help", "up"),
        ("status up a -h down", "up"),
        ("up -m --help", "up"),
        ("up --nope --help", "up"),
        ("--help status up", "status"),
        ("inventory graph --help", "inventory.graph"),
    ],
)
def test_help_is_of_the_task_that_it_follows(own, line, task):
    ran = own(*line.split())
    assert (ran.code, ran.out.split()[2]) == (0, task)
    assert CALLS == []


def test_behind_two_dashes_help_is_a_name(own):
    own("up", "--", "--help")
    assert CALLS[1][1] == Selection(models=("--help",))


def test_no_model_may_be_called_like_a_task():
    assert {task.name.partition(".")[0] for task in VERBS} <= RESERVED_NAMES


@pytest.mark.parametrize("task", VERBS, ids=lambda task: task.name)
def test_each_task_has_two_examples_that_can_be_typed(task):
    assert len(task.examples) >= 2
    for example in task.examples:
        ((name, values),) = parse(shlex.split(example), TASKS)
        assert name == task.name
        task.session("llmstack", values).checked()


def test_a_task_s_help_in_plain_invoke_has_its_examples_too(through):
    assert "    invoke up --check --diff\n" in through("invoke", "up", "--help").out


def test_a_name_that_is_none_may_be_a_task_that_was_mistyped(own):
    ran = own("up", "a", "statuss")
    assert ran.code == 5
    assert (
        ran.err == "error: no model or service 'statuss'\n       the task: did you mean 'status'?\n       models: a\n"
    )


@pytest.mark.parametrize("words", [[], ["--list"], ["help", "exit-codes"], *([name, "--help"] for name in TASKS)])
def test_what_is_told_fits(own, monkeypatch, words):
    assert max(map(len, own(*words).out.splitlines())) <= 80
    monkeypatch.setenv("COLUMNS", "60")
    folded = [line for line in own(*words).out.splitlines() if not line.startswith("  llmstack ")]
    assert max(map(len, folded)) <= 60


def test_a_host_needs_no_flag_where_it_alone_can_be_meant():
    assert parse(["inventory", "host", "gpu01"], TASKS) == [("inventory.host", {"host": ["gpu01"]})]


def test_help_lists_the_exit_codes(own, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    rows = [line.split(maxsplit=2) for line in own("help", "exit-codes").out.splitlines()]
    assert {int(code): (name, text) for code, name, text in rows} == dict(meanings())
    assert all(text.endswith(".") for _, _, text in rows)


def test_help_for_what_there_is_not_suggests_what_there_is(own):
    ran = own("help", "statuss")
    assert (ran.code, ran.err) == (2, "error: no task 'statuss'\n       did you mean 'status'?\n")


@pytest.mark.parametrize("flag", ["--version", "-V", "version"])
def test_it_tells_its_version(own, flag):
    assert own(flag).out == f"llmstack {llmstack.__version__}\n"


def test_the_list_of_tasks_is_there_as_json(own):
    assert {task["name"] for task in own("--list", "-o", "json").json["tasks"]} == set(TASKS)


def test_a_shell_without_completion_is_a_usage_error(own):
    ran = own("--print-completion-script", "tcsh")
    assert ran.code == 2
    assert ran.err == "error: no completion for 'tcsh'\n       shells: bash zsh\n"


def test_a_namespace_that_is_not_there_cannot_be_listed(own):
    assert own("--list", "nope").code == 2


def test_invoke_s_own_flags_that_would_mean_nothing_are_gone(own):
    assert own("--dry", "up").code == 2
    assert CALLS == []


def test_a_flag_before_the_first_task_goes_to_every_task(own):
    ran = own("-o", "names", "status", "a", "up", "b")
    assert (ran.code, ran.out) == (0, "a@localhost\nb@localhost\n")


@pytest.mark.parametrize(
    ("word", "code", "out"), [("--version", 0, f"llmstack {llmstack.__version__}\n"), ("upp", 2, "")]
)
def test_it_runs_as_a_module_too(word, code, out):
    run = subprocess.run(
        [sys.executable, "-m", "llmstack", word], capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.returncode, run.stdout) == (code, out)
    assert bool(run.stderr) == bool(code)
