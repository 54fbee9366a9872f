"""What holds through both front doors."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from llmstack.domain.selection import RunOptions, Selection, Settings
from tests.unit.cli.fake_app import CALLS

CHANGING = ("up", "down", "restart", "update", "pull", "rm", "backup", "restore")
TASKS = (*CHANGING, "health", "sync", "status", "stats", "logs", "history", "ask")


def called(task):
    """What the fake app's verb was called with."""
    return [(what, how) for name, what, how in CALLS if name == task]


def settings():
    return next(what for name, what, _ in CALLS if name == "open")


def test_up_shows_what_it_does_on_stderr_and_nothing_on_stdout(both, door):
    ran = both("up", "--model", "demo")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == (
        "demo@localhost  llamacpp · SmolLM2 · 127.0.0.1:8080\n"
        "  ✓ created 0.0 s\n"
        "  ✓ answered 0.4 s  first token 38 ms · 118 tokens/s\n"
        "\n"
        "localhost : ok=0 changed=1 unreachable=0 failed=0 unhealthy=0 skipped=0  1.5 s\n"
        f'Try it:  {door} ask --model demo --prompt "Why is the sky blue?"\n'
        "         http://127.0.0.1:8080/v1\n"
    )


def test_a_target_that_fails_says_why_what_to_do_and_where_the_log_is(both, door):
    ran = both("up", "-m", "broken")
    assert ran.code == 6
    assert ran.err == (
        "broken@localhost  llamacpp · SmolLM2 · 127.0.0.1:8080\n"
        "  ✓ created 0.0 s  ✗ port: gone\n"
        "\n"
        "  why   ValueError: no memory   (log line 212)\n"
        f"  do    {door} down --service ollama\n"
        f"  log   {door} logs --model broken\n"
        "\n"
        "localhost : ok=0 changed=0 unreachable=0 failed=0 unhealthy=1 skipped=0  1.5 s\n"
    )


def test_the_app_is_closed_whatever_happens(both):
    both("up", "-m", "boom")
    assert [name for name, _, _ in CALLS] == ["open", "up", "close"]


def test_flags_become_a_selection_and_settings(both, door):
    both("up", "-m", "a", "-m", "b", "--service", "s", "-l", "h", "--timeout", "2m", "--lock-wait", "5", "--no-wait")
    ((selection, how),) = called("up")
    assert selection == Selection(models=("a", "b"), services=("s",), hosts=("h",))
    assert how == asdict(RunOptions(wait=False))
    assert settings() == Settings(
        task="up",
        timeout_s=120.0,
        lock_wait_s=5.0,
        store=settings().store,
        command=f"{door} up --model a --model b --service s --host h --timeout 2m --lock-wait 5 --no-wait",
    )


def test_what_narrows_a_run_and_how_it_goes_about_it(both):
    words = ["--limit", "gpu:!gpu02", "--exclude", "a,b", "--exclude=c", "--tags", "chat,nightly", "-j", "3"]
    both("up", *words, "-e", "a.port=9000", "-e", "@more.yaml", "--orphans", "--re-decide", "--yes")
    ((selection, how),) = called("up")
    assert selection == Selection(hosts=("gpu:!gpu02",), exclude=("a", "b", "c"), tags=("chat", "nightly"))
    assert how == asdict(RunOptions(orphans=True, re_decide=True))
    assert (settings().forks, settings().extra) == (3, ("a.port=9000", "@more.yaml"))


def test_values_of_extra_are_not_kept_with_the_command(both, door):
    both("down", "-e", "a.env.TOKEN=hush")
    assert settings().command == f"{door} down --extra a.env.TOKEN=..."


def test_inventory_and_store_are_passed_on(both):
    both("down", "-i", "lab.yaml", "--store", ":memory:", "--orphans", "--check")
    assert (settings().inventory, settings().store) == ("lab.yaml", ":memory:")
    assert called("down") == [(Selection(), asdict(RunOptions(check=True, orphans=True)))]


def test_nothing_picked_means_everything(both):
    both("pull")
    assert called("pull")[0][0].everything


@pytest.mark.parametrize("task", TASKS)
def test_help_never_runs_a_task(both, task):
    ran = both(task, "--help")
    assert ran.code == 0
    assert "--inventory" in ran.out
    assert CALLS == []


def test_check_shows_the_plan_as_the_answer_and_the_command_that_does_it(both, door):
    ran = both("up", "--check", "--diff", "-m", "a", "--exit-code")
    assert ran.out.startswith("+ a@localhost  create  not there\n")
    assert ran.out.endswith("1 looked at: 1 create. Nothing was changed.\n")
    assert (ran.code, ran.err) == (8, f"Do it:  {door} up --model a\n")
    assert both("up", "--check", "-q").err == ""
    assert both("up", "--check", "-e", "key=topsecret").err == "Do it:  this command again, without --check\n"
    assert both("up", "--check", "-e", "@vars.yaml").err == f"Do it:  {door} up --extra @vars.yaml\n"


def test_check_with_diff_shows_the_fields(both):
    ran = both("pull", "--check", "--diff")
    assert "\n      memory  8 GiB → 12 GiB\n" in ran.out


def test_diff_without_check_shows_the_plan_before_it_is_applied(both):
    ran = both("up", "--diff")
    assert ran.out == ""
    assert ran.err.startswith("+ demo@localhost  create  not there\n      memory  8 GiB → 12 GiB\n1 looked at:")


def test_verbose_says_first_what_will_be_done_and_why(both):
    first, second, third, *_ = both("up", "-v").err.splitlines()
    assert (first, second) == ("+ demo@localhost  create  not there", "1 looked at: 1 create.")
    assert third.startswith("demo@localhost")
    assert not both("up", "-q", "-v").err


def test_more_verbose_shows_what_engines_and_servers_were_asked_but_nothing_secret(both):
    said = both("up", "-m", "logged", "-vv").err
    assert "urllib3.connectionpool: GET /api/pull?... HTTP/1.1\n" in said
    assert "hush" not in said
    assert "other" not in said
    assert "other: token=...\n" in both("up", "-m", "logged", "-vvv").err
    assert "urllib3" not in both("up", "-m", "logged", "-v").err


def test_without_progress_results_are_told_all_the_same(both):
    head, *rest = both("up", "-m", "fetched", "--progress", "none").err.splitlines()
    assert (head, rest[0]) == ("fetched@localhost  llamacpp · SmolLM2 · 127.0.0.1:8080", "  ✓ created 0.0 s")
    assert "56 %" in both("up", "-m", "fetched", "--progress", "plain").err


def test_json_is_one_document_on_stdout(both):
    ran = both("up", "-m", "demo", "-o", "json")
    assert ran.json["rc"] == 0
    assert [item["target"] for item in ran.json["items"]] == ["demo@localhost"]
    assert "changed=1" in ran.err


def test_names_are_one_target_per_line(both):
    assert both("status", "-m", "a", "-m", "b", "-o", "names").out == "a@localhost\nb@localhost\n"


def test_quiet_says_nothing_when_all_is_well(both):
    ran = both("up", "-q")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_quiet_still_shows_what_failed(both):
    ran = both("up", "-q", "-m", "demo", "-m", "broken")
    assert "broken" in ran.err
    assert "demo" not in ran.err


def test_a_chain_runs_each_task_even_twice_the_same(both):
    ran = both("up", "-m", "a", "down", "-m", "a", "up", "-m", "a")
    assert ran.code == 0
    assert [name for name, _, _ in CALLS if name in TASKS] == ["up", "down", "up"]


def test_the_first_task_that_fails_ends_the_chain_with_its_code(both):
    ran = both("up", "-m", "broken", "down", "-m", "a")
    assert ran.code == 6
    assert called("down") == []


def test_a_chain_that_goes_on_ends_with_the_code_of_its_first_failure(both):
    ran = both("up", "-k", "-m", "broken", "down", "-k", "-m", "unknown", "pull", "-m", "a")
    assert ran.code == 6
    assert [name for name, _, _ in CALLS if name in TASKS] == ["up", "down", "pull"]


@pytest.mark.parametrize("task", ["up", "down", "restart", "update", "pull", "rm"])
def test_every_task_that_changes_something_can_only_show_it_too(both, task):
    assert both(task, "-m", "a", "--check", "--exit-code").code == 8
    assert called(task)[0][1] == asdict(RunOptions(check=True))


def test_nothing_is_deleted_unasked(both, door):
    ran = both("rm", "-m", "a")
    assert ran.code == 12
    assert ran.err.endswith(f"to do it without being asked: {door} rm --model a --yes\n")
    assert both("rm", "--yes").code == 2
    assert {options["check"] for _, options in called("rm")} == {True}
    assert both("rm", "-m", "a", "--yes").code == 0


def test_check_tells_by_its_code_that_something_would_change(both):
    ran = both("up", "--check", "--exit-code", "-o", "json")
    assert (ran.code, ran.json["rc"]) == (8, 8)
    assert both("up", "--exit-code").code == 0


@pytest.mark.parametrize(("model", "code"), [("a", 0), ("gone", 8)])
def test_status_tells_by_its_code_that_something_drifts(both, model, code):
    assert both("status", "-m", model, "--exit-code").code == code
    assert both("status", "-m", model).code == 0


@pytest.mark.parametrize(("name", "code"), [("unknown", 5), ("bad", 3), ("away", 4), ("boom", 70)])
def test_each_class_of_error_has_its_exit_code(both, name, code):
    assert both("up", "-m", name).code == code


def test_an_error_names_the_thing_and_the_next_step_for_this_door(both, door):
    assert both("status", "-m", "unknown").err == (
        f"error: no model or service 'unknown' in inventory.yaml\n       see `{door} status`\n"
    )


def test_with_json_an_error_is_a_document_too(both):
    ran = both("status", "-m", "unknown", "-o", "json")
    assert {**ran.json, "errors": []} == {
        "v": 1,
        "kind": "status",
        "task": "status",
        "rc": 5,
        "items": [],
        "errors": [],
        "warnings": [],
    }
    assert ran.json["errors"][0]["class"] == "nomatch"
    assert ran.err.startswith("error: ")


def test_mistakes_in_the_inventory_are_shown_as_a_compiler_does(both):
    assert both("status", "-m", "bad").err == (
        "inventory.yaml:32:5: error E012: unknown key 'imge'\n"
        "   32 |     imge: vllm/vllm-openai:v0.11.0\n"
        "      |     ^^^^ did you mean 'image'?\n"
        "1 error; nothing was changed\n"
    )


def test_what_nobody_expected_is_one_line_and_a_private_file(both, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    ran = both("up", "-m", "boom")
    (path,) = (tmp_path / "llmstack").glob("bug-*.txt")
    assert ran.err == (
        f"error: unexpected RuntimeError: out of luck\n"
        f"       this is a mistake in llmstack; the details are in {path}\n"
    )
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert "Traceback" in path.read_text(encoding="utf-8")


def test_a_trace_that_cannot_be_written_is_no_second_mistake(both, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    ran = both("up", "-m", "boom")
    assert ran.code == 70
    assert "could not be written" in ran.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["up", "--timeout", "soon"], "--timeout cannot be 'soon'"),
        (["up", "--timeout", "0"], "--timeout cannot be '0'"),
        (["up", "--lock-wait=-1"], "--lock-wait cannot be '-1'"),
        (["up", "-j", "0"], "--forks cannot be '0'"),
        (["up", "-e", "port 9"], "--extra cannot be 'port 9'"),
        (["up", "-o", "jsn"], "--output cannot be 'jsn'\n       did you mean 'json'?"),
        (["up", "-o", "yaml"], "--output cannot be 'yaml'\n       it is one of: text json ndjson names names0"),
        (["up", "--model", " "], "--model cannot be ' '"),
        (["logs", "--tail", "many"], "--tail cannot be 'many'"),
        (["ask", "--max-tokens", "0"], "--max-tokens cannot be '0'"),
        (["logs", "--follow", "-o", "json"], "--follow has no end"),
        (["ask", "-m", "a", "-m", "b", "--prompt", "x"], "one question goes to one model, not to a, b"),
        (["history", "--last", "0"], "--last cannot be '0'"),
        (["history", "--run", "7", "-m", "a"], "--run shows one run as a whole"),
        (["ask", "-m", "a"], "there is nothing to ask"),
        (["ask", "-m", "a", "--prompt", " "], "the question is empty"),
        (["up", "-m", "-"], "`-` reads names from standard input, which is a terminal"),
    ],
)
def test_a_value_that_cannot_be_is_a_usage_error_and_nothing_runs(both, words, message):
    ran = both(*words)
    assert ran.code == 2
    assert f"error: {message}" in ran.err
    assert [name for name, _, _ in CALLS if name in TASKS] == []


def test_a_variable_gives_the_default_and_a_flag_wins(both, monkeypatch):
    monkeypatch.setenv("LLMSTACK_OUTPUT", "names")
    monkeypatch.setenv("LLMSTACK_INVENTORY", "lab.yaml")
    assert both("status").out == "demo@localhost\n"
    assert settings().inventory == "lab.yaml"
    assert "MODEL" in both("status", "-o", "text").out


def test_a_variable_that_cannot_be_is_a_config_error(both, monkeypatch):
    monkeypatch.setenv("LLMSTACK_OUTPUT", "jsn")
    ran = both("status")
    assert ran.code == 3
    assert ran.err.startswith("error: LLMSTACK_OUTPUT cannot be 'jsn'\n")


def test_health_answers_on_stdout_with_each_ladder(both):
    ran = both("health", "-m", "demo", "--deep")
    assert ran.out == (
        "demo@localhost  http://127.0.0.1:8080/v1\n"
        "  ✓ created 0.0 s\n"
        "  ✓ answered 0.4 s  first token 38 ms · 118 tokens/s\n"
    )
    assert ran.err.startswith("\nlocalhost : ok=0 changed=1")
    assert called("health")[0][1] == {"deep": True}


def test_sync_tells_differences_and_who_could_not_be_asked(both, door):
    ran = both("sync", "--check")
    assert ran.code == 4
    assert ran.out == (
        "1 difference between what was known and what runs:\n"
        "  llama3@gpu01  store: active   engine: exited 137  → recorded\n"
    )
    assert ran.err == f"error: gpu03: no route to host\n       run `{door} status`\n"
    assert called("sync") == [(Selection(), {"check": True})]


def test_status_is_a_table(both):
    assert both("status").out == ("MODEL  SERVICE  HOST       STATE\ndemo   demo     localhost  ready\n")


def test_logs_of_one_target_stand_alone_and_harm_no_terminal(both):
    assert both("logs", "--tail", "5").out == "ready red\n"
    assert called("logs")[0][1] == {"tail": 5, "follow": False}


def test_logs_of_several_targets_say_whose_they_are(both):
    assert both("logs", "-m", "a", "-m", "b").out == "a@localhost | ready red\nb@localhost | ready red\n"


def test_logs_that_are_followed_say_whose_they_are_unless_one_was_named(both):
    assert both("logs", "--follow").out == "demo@localhost | ready red\n"
    assert both("logs", "--follow", "-m", "a").out == "ready red\n"


def test_logs_as_json_are_lines_with_their_targets(both):
    (item,) = both("logs", "-o", "json").json["items"]
    assert (item["target"], item["host"], item["line"]) == ("demo@localhost", "localhost", "ready \x1b[31mred\x1b[0m")


def test_ask_streams_the_answer_to_stdout_and_its_figures_to_stderr(both):
    ran = both("ask", "-m", "demo", "--prompt", "Why is the sky blue?", "--max-tokens", "8")
    assert ran.out == "Blue light scatters.\n"
    assert ran.err.startswith("first token ")
    assert ran.err.endswith(" · 61 tokens/s\n")
    assert called("ask")[0][1] == {"prompt": "Why is the sky blue?", "max_tokens": 8}


def test_ask_reads_the_question_from_a_pipe(both):
    both("ask", "-m", "demo", stdin="hello\n")
    assert called("ask")[0][1]["prompt"] == "hello\n"


def test_an_answer_that_is_cut_off_keeps_what_came_and_fails(both):
    ran = both("ask", "-m", "cut", "--prompt", "x")
    assert (ran.code, ran.out) == (6, "Blue light scatters.\n")
    assert ran.err == "error: the answer was cut off\n       ask again\n"


def test_ask_as_json_is_one_document(both):
    ran = both("ask", "-m", "demo", "--prompt", "x", "-o", "json")
    assert ran.json["items"][0]["text"] == "Blue\x07 light scatters."
    assert ran.json["items"][0]["tokens_per_s"] == 61.0


def test_a_prompt_is_not_kept_with_the_command(both, door):
    both("ask", "-m", "demo", "--prompt", "my secret")
    assert settings().command == f"{door} ask --model demo"


def test_warnings_are_told_at_once(both):
    assert both("up", "-m", "warned").err.startswith("! the store is on a network disk\n")


def test_colour_can_be_forced_and_forbidden(both):
    assert "\x1b[" in both("status", "--color", "always", "-m", "unknown").err
    assert "\x1b[" not in both("status", "--color", "never", "-m", "unknown").err
