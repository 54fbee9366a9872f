"""Each screen as it reads, 80 columns wide and without colour."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmstack.domain.host import Host
from llmstack.domain.instance import Instance, InstanceSpec, Need, State
from llmstack.domain.ladder import Answer, Ladder, Rung, RungResult, Why
from llmstack.domain.outcome import Outcome, RunResult, Status
from llmstack.domain.plan import Action, ActionKind, FieldChange, Price
from llmstack.domain.service import ModelSpec, Placement, ServiceSpec
from llmstack.domain.target import Target, TargetKind
from llmstack.errors import InterruptedRunError, PreflightError, UnhealthyError, UnreachableError
from llmstack.ui.plan import plan_lines
from llmstack.ui.recap import next_step, recap_lines
from llmstack.ui.rungs import figures, flags, outcome_lines, report_lines, rung_lines
from llmstack.ui.text import folded
from tests.unit.ui.conftest import plain

DEMO = Target("demo", "localhost")
SPEC = InstanceSpec(stack="lab", service="demo", host="localhost", type="container", engine="docker")
THERE = Instance(id="1", container_name="demo", service="demo", host="localhost", engine="docker", state=State.STARTING)
QWEN = Target("qwen", "gpu02.lab", TargetKind.MODEL)
OLLAMA = Placement(
    service=ServiceSpec(name="ollama", type="ollama"),
    host=Host(name="gpu01.lab"),
    models=(ModelSpec(name="llama3", service="ollama"), ModelSpec(name="mistral", service="ollama")),
)


def rung(name, ok=True, ms=0.0, detail="", answer=None):
    return RungResult(rung=Rung(name), ok=ok, ms=ms, detail=detail, answer=answer)


ANSWER = Answer(text="Hello", first_token_ms=38, tokens=16, tokens_per_s=118)
CLIMBED = (
    rung("created", ms=20),
    rung("running", ms=100),
    rung("port", ms=300),
    rung("weights", detail="94 MB"),
    rung("loaded", ms=600),
    rung("answered", ms=400, answer=ANSWER),
    rung("device", detail="cpu (as asked)"),
)


def outcome(target=DEMO, status=Status.CHANGED, **more):
    return Outcome(target=target, status=status, **more)


def shown(of, width=80):
    return plain(report_lines([of], width))


def test_a_target_that_went_well():
    done = outcome(ladder=Ladder(target=DEMO, rungs=CLIMBED), urls=("http://127.0.0.1:8080/v1",))
    assert shown(done, 74) == (
        "demo@localhost  http://127.0.0.1:8080/v1\n"
        "  ✓ created 0.0 s  ✓ running 0.1 s  ✓ port 0.3 s  ✓ weights 94 MB\n"
        "  ✓ loaded 0.6 s\n"
        "  ✓ answered 0.4 s  first token 38 ms · 118 tokens/s\n"
        "  ✓ device cpu (as asked)\n"
    )


def test_a_target_that_went_wrong():
    why = Why(
        summary="ValueError: No available memory for the cache blocks.",
        meaning="vLLM needs 9.6 GiB for weights and cache; 7.9 GiB of GPU 0 were free.\n"
        "ollama@gpu02.lab holds 15.1 GiB.",
        do="llmstack down --service ollama --host gpu02.lab\nor set models.qwen.options.max_model_len: 4096",
        log_line=212,
    )
    rungs = (rung("created", ms=20), rung("port", ok=False, detail="container exited 1 after 41 s (restarts 0)"))
    ladder = Ladder(target=QWEN, rungs=rungs, why=why)
    assert shown(outcome(QWEN, Status.UNHEALTHY, ladder=ladder, error=UnhealthyError("port", why.do))) == (
        "qwen@gpu02.lab\n"
        "  ✓ created 0.0 s  ✗ port: container exited 1 after 41 s (restarts 0)\n"
        "\n"
        "  why   ValueError: No available memory for the cache blocks.   (log line 212)\n"
        "        vLLM needs 9.6 GiB for weights and cache; 7.9 GiB of GPU 0 were free.\n"
        "        ollama@gpu02.lab holds 15.1 GiB.\n"
        "  do    llmstack down --service ollama --host gpu02.lab\n"
        "        or set models.qwen.options.max_model_len: 4096\n"
        "  log   llmstack logs --model qwen --host gpu02.lab\n"
    )


def test_a_failure_that_nobody_can_explain_leads_to_the_log():
    ladder = Ladder(target=DEMO, rungs=(rung("running", ok=False),), why=Why(summary="it died\x1b[2J\nreally"))
    error = UnhealthyError("running: it died", "llmstack logs --service demo")
    assert shown(outcome(status=Status.UNHEALTHY, ladder=ladder, error=error)) == (
        "demo@localhost\n  ✗ running: failed\n\n  why   it died really\n  log   llmstack logs --service demo\n"
    )


def test_what_came_of_it_besides_stands_below_the_rungs():
    action = Action(kind=ActionKind.KEEP, target=DEMO, reason="asked for")
    saved = outcome(action=action, reason="0.1 MB in b.tar", ladder=Ladder(target=DEMO, rungs=(rung("created"),)))
    assert shown(saved).endswith("  ✓ created 0.0 s\n  0.1 MB in b.tar\n")
    assert "asked for" not in shown(replace(saved, reason="asked for"))


def test_what_was_rolled_back_has_no_log_to_look_at():
    why = Why(summary="httpd: no such folder", do="correct `args:`")
    ladder = Ladder(target=DEMO, rungs=(rung("api", ok=False, detail="crashed"),), why=why)
    back = outcome(
        status=Status.UNHEALTHY, ladder=ladder, error=UnhealthyError("x; the old one is back", rolled_back=True)
    )
    assert "llmstack logs" not in shown(back)


def test_a_start_that_could_not_be_tried():
    bad = outcome(status=Status.FAILED, error=PreflightError("port 8080 is taken by nginx (pid 7)", "port: auto"))
    assert shown(bad) == "✗ demo@localhost  port 8080 is taken by nginx (pid 7)\n\n  do    port: auto\n"
    named = outcome(status=Status.FAILED, error=PreflightError("demo@localhost: program 'x' is not on PATH"))
    assert shown(named).startswith("✗ demo@localhost  program 'x' is not on PATH\n")


def test_a_run_that_was_cut_off_keeps_its_rungs():
    cut = outcome(status=Status.FAILED, error=UnhealthyError("interrupted"))
    assert plain(outcome_lines(cut, [rung("created")], 80)) == "  ✓ created 0.0 s\n✗ demo@localhost  interrupted\n\n"


@pytest.mark.parametrize(
    ("done", "line"),
    [
        (outcome(reason="stopped and removed"), "✓ demo@localhost  stopped and removed\n"),
        (outcome(status=Status.OK), "✓ demo@localhost  ok\n"),
        (
            outcome(status=Status.SKIPPED, reason="ollama@localhost failed"),
            "- demo@localhost  skipped: ollama@localhost failed\n",
        ),
    ],
)
def test_what_has_no_rungs_is_one_line(done, line):
    assert shown(done) == line


def test_rungs_that_could_not_be_told_are_no_failure():
    rungs = (rung("loaded", ok=None, detail="on demand"), rung("device", ok=None, detail="unknown"))
    assert plain(rung_lines(rungs, 80)) == "  - loaded on demand  - device unknown\n"


def test_a_rung_that_says_much_is_broken_where_the_terminal_is_narrow():
    rungs = (rung("port"), rung("api", ok=False, detail="not ready within 10 s, last rung reached: port"))
    told = [part.plain for line in rung_lines(rungs, 40) for part in folded(line, 40, 2)]
    assert told == ["  ✓ port 0.0 s", "  ✗ api: not ready within 10 s, last", "  rung reached: port"]


def test_an_answer_without_figures_shows_its_time():
    assert plain(rung_lines([rung("answered", ms=1500, answer=Answer(text="x"))], 80)) == "  ✓ answered 1.5 s\n"
    assert figures(Answer(text="x")) == ""


def test_flags_select_the_target_again():
    companion = Action(kind=ActionKind.KEEP, target=DEMO, reason="", placement=None)
    own = Action(kind=ActionKind.KEEP, target=DEMO, reason="", placement=OLLAMA)
    assert flags(outcome()) == "--service demo"
    assert flags(outcome(action=companion)) == "--service demo"
    assert flags(outcome(action=own)) == "--model demo"
    assert flags(outcome(QWEN)) == "--model qwen --host gpu02.lab"


def test_the_recap_counts_every_target_once_per_host():
    result = RunResult(
        task="up",
        outcomes=(outcome(), outcome(QWEN, Status.UNHEALTHY), outcome(Target("x", "localhost"), Status.OK)),
        ms=43_000,
    )
    text = plain(recap_lines(result))
    assert text == (
        "\n"
        "localhost : ok=1 changed=1 unreachable=0 failed=0 unhealthy=0 skipped=0\n"
        "gpu02.lab : ok=0 changed=0 unreachable=0 failed=0 unhealthy=1 skipped=0  43 s\n"
    )
    assert max(map(len, text.splitlines())) <= 80


def test_a_run_without_targets_says_so():
    assert plain(recap_lines(RunResult(task="up"))) == "nothing to do: no service or model is picked\n"


def test_a_run_that_was_interrupted_says_so():
    cut = outcome(status=Status.INTERRUPTED, error=InterruptedRunError("interrupted; it was removed again"))
    told = plain(recap_lines(RunResult(task="up", interrupted=True, outcomes=(cut,))))
    assert "skipped=0 interrupted=1" in told
    assert "interrupted; what was begun has been brought to an end" in told
    assert shown(cut).startswith("- demo@localhost  interrupted; it was removed again\n")


def test_the_next_step_is_a_question_for_a_model_that_answered():
    ladder = Ladder(target=DEMO, rungs=CLIMBED)
    done = outcome(ladder=ladder, urls=("http://127.0.0.1:8080/v1",))
    assert plain(next_step(RunResult(task="up", outcomes=(done,)))) == (
        'Try it:  llmstack ask --service demo --prompt "Why is the sky blue?"\n         http://127.0.0.1:8080/v1\n'
    )


@pytest.mark.parametrize(
    "outcomes",
    [
        (),
        (outcome(status=Status.OK, ladder=Ladder(target=DEMO, rungs=CLIMBED), urls=("http://x",)),),
        (outcome(urls=("http://x",)),),
        (outcome(), outcome(QWEN, Status.FAILED, error=UnhealthyError("x"))),
    ],
)
def test_there_is_no_next_step_without_something_new_that_answers(outcomes):
    assert plain(next_step(RunResult(task="up", outcomes=outcomes))) == ""


def plan_of():
    web = Target("webui", "gpu01.lab")
    return (
        Action(
            kind=ActionKind.REPLACE,
            target=Target("ollama", "gpu01.lab"),
            reason="image differs, memory differs",
            changes=(FieldChange("image", "0.12.3", "0.12.6"), FieldChange("memory", "8 GiB", "12 GiB")),
            placement=OLLAMA,
            needs=(Need(kind="image", name="ollama/ollama:0.12.6", size_bytes=1_900_000_000),),
            price=Price(
                fetch_bytes=1_900_000_000,
                downtime_s=14.2,
                memory_before_bytes=8 << 30,
                memory_after_bytes=12 << 30,
                dependants=("webui@gpu01.lab", "x@gpu03.lab"),
                in_flight=1,
            ),
        ),
        Action(
            kind=ActionKind.CREATE,
            target=QWEN,
            reason="not there",
            needs=(Need(kind="image", name="vllm:0.11"), Need(kind="weights", name="qwen", size_bytes=5)),
        ),
        Action(kind=ActionKind.REMOVE, target=web, reason="crashed, exit 1"),
        Action(kind=ActionKind.KEEP, target=web, reason="as wanted"),
        Action(
            kind=ActionKind.UNREACHABLE,
            target=Target("x", "gpu03.lab"),
            reason="ssh: no route to host",
            error=UnreachableError("ssh: no route to host", "see `llmstack status`"),
        ),
    )


def test_the_plan_with_its_fields():
    assert plain(plan_lines(plan_of(), diff=True, checked=True)) == (
        "~ ollama@gpu01.lab  replace      image differs, memory differs, takes down llama3, mistral for about 14 s, "
        "1 request in flight, webui@gpu01.lab, x@gpu03.lab go without it, 1.9 GB to fetch, memory 8 GiB → 12 GiB\n"
        "      image   0.12.3 → 0.12.6\n"
        "      memory  8 GiB → 12 GiB\n"
        "+ qwen@gpu02.lab    create       not there, vllm:0.11, qwen to fetch, size unknown\n"
        "- webui@gpu01.lab   remove       crashed, exit 1\n"
        "= webui@gpu01.lab   keep         as wanted\n"
        "! x@gpu03.lab       unreachable  ssh: no route to host\n"
        "      see `llmstack status`\n"
        "5 looked at: 1 create, 1 replace, 1 remove, 1 keep, 1 unreachable. Nothing was changed.\n"
    )


def test_bytes_that_differ_are_told_as_sizes():
    change = FieldChange("resources.memory_bytes", str(8 << 30), str(12 << 30))
    told = Action(kind=ActionKind.REPLACE, target=DEMO, reason="memory differs", changes=(change,))
    assert "      memory  8 GiB → 12 GiB\n" in plain(plan_lines((told,), diff=True, checked=True))


def test_unknown_costs_are_told_as_unknown():
    box = Action(kind=ActionKind.RESTART, target=DEMO, reason="asked for", spec=SPEC, price=Price(fetch_bytes=0))
    assert plain(plan_lines((box,), diff=True, checked=False)) == (
        "~ demo@localhost  restart  asked for, away for an unknown time, memory unknown (no limit)\n"
        "1 looked at: 1 restart.\n"
    )
    runs = replace(box, observed=replace(THERE, running=True))
    assert "unknown time, requests in flight: unknown, memory" in plain(plan_lines((runs,), diff=False, checked=False))
    quiet = replace(runs, price=Price(in_flight=0))
    assert "unknown time, no request in flight, memory" in plain(plan_lines((quiet,), diff=False, checked=False))


@pytest.mark.parametrize(
    ("kind", "before", "after", "told"),
    [
        (ActionKind.CREATE, None, 8 << 30, "memory 8 GiB"),
        (ActionKind.CREATE, None, None, "memory unknown (no limit)"),
        (ActionKind.REPLACE, None, 8 << 30, "memory unknown (no limit) → 8 GiB"),
        (ActionKind.REPLACE, 8 << 30, 8 << 30, "memory 8 GiB"),
        (ActionKind.RESTART, 8 << 30, 8 << 30, "memory 8 GiB"),
        (ActionKind.REMOVE, 8 << 30, None, "memory 8 GiB → 0"),
    ],
)
def test_the_memory_is_told_without_being_asked_for(kind, before, after, told):
    price = Price(fetch_bytes=0, memory_before_bytes=before, memory_after_bytes=after)
    row = Action(kind=kind, target=DEMO, reason="so", price=price)
    assert f", {told}\n" in plain(plan_lines((row,), diff=False, checked=False))


def test_the_plan_in_short():
    text = plain(plan_lines(plan_of(), diff=False, checked=False))
    assert "0.12.3" not in text
    assert text.endswith("1 unreachable.\n")


def test_an_empty_plan():
    assert plain(plan_lines((), diff=True, checked=True)) == "0 looked at: nothing. Nothing was changed.\n"


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("down", "Start it again:  llmstack up --service demo\n"),
        ("pull", "Start it:  llmstack up --service demo\n"),
        ("rm", "Fetch it again:  llmstack pull --service demo\n"),
        ("restart", ""),
    ],
)
def test_the_next_step_brings_back_what_is_gone(task, said):
    gone = outcome()
    assert plain(next_step(RunResult(task=task, outcomes=(gone,)))) == said
