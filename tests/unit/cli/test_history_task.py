"""`history` through both front doors."""

from __future__ import annotations

from llmstack.domain.selection import Selection


def test_history_is_a_table_of_runs_or_what_was_done_with_a_name_or_one_run(both, calls):
    assert both("history").out.startswith("RUN  WHEN ")
    assert both("history", "-m", "a", "--last", "3").out.startswith("RUN  WHEN              TARGET ")
    assert both("history", "--run", "7").out.startswith("run      7\n")
    assert both("history", "-o", "names").out == "7\n"
    asked = [(picked, how) for name, picked, how in calls if name == "history"]
    assert asked == [
        (Selection(), {"run_id": None, "limit": 20}),
        (Selection(models=("a",)), {"run_id": None, "limit": 3}),
        (Selection(), {"run_id": "7", "limit": 20}),
        (Selection(), {"run_id": None, "limit": 20}),
    ]


def test_a_history_of_nothing_says_so(both):
    ran = both("history", "--last", "999")
    assert (ran.code, ran.out, ran.err) == (0, "", "no run is remembered so far\n")


def test_what_was_used_is_a_curve_for_people_and_numbers_for_programs(both, calls):
    lines = both("history", "-m", "demo", "--metrics").out.splitlines()
    assert lines[0].startswith("demo@gpu01  1970-01-01 ")
    assert lines[1] == "  CPU  ██  5 % to 5 %, last 5 %"
    (item,) = both("history", "--metrics", "--last", "3", "-o", "json").json["items"]
    assert [(sample["at"], sample["cpu_percent"]) for sample in item["samples"]] == [(60.0, 5.0), (120.0, 5.0)]
    assert [how["last"] for name, _, how in calls if name == "metrics"] == [60, 3]
    assert both("history", "--metrics", "--last", "999").err.startswith("! nothing was measured so far")
    assert both("history", "--metrics", "--run", "7").code == 2
