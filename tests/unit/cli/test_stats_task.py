"""`stats` and `gpus`, as they are asked for."""

from __future__ import annotations

import json

from tests.unit.cli.fake_app import CALLS


def test_stats_are_a_table_and_watched_one_after_the_other(both):
    shown = (
        "SERVICE  HOST       CPU  MEMORY            PROCS  MODELS\n"
        "demo     localhost  3 %  1.5 GiB / 12 GiB  2      demo\n"
    )
    assert both("stats").out == shown
    assert both("stats", "-o", "names").out == "demo@localhost\n"
    assert both("stats", "-m", "gone").err == "! nothing of it runs\n"
    CALLS.clear()
    ran = both("stats", "--watch", "-m", "twice")
    assert (ran.code, sum(name == "stats" for name, *_ in CALLS), ran.out.count("twice  ")) == (130, 2, 2)
    assert ran.err.count("no route to host") == 1
    ran = both("stats", "--watch", "-m", "twice", "-o", "ndjson")
    assert [json.loads(line)["type"] for line in ran.out.splitlines()] == ["item", "item", "recap"]
    assert ran.err.count("no route to host") == 1
    assert both("stats", "--watch", "-o", "json").code == 2


def test_gpus_are_told_with_whoever_holds_them(both):
    assert both("gpus").out == (
        "GPU 0  RTX 4090  20 GiB / 24 GiB  98 %  62 °C\n"
        "  demo@localhost  instance  20 GiB  -  pid 7\n"
        "GPU 1  -  \n"
        "  the GPU is lost\n"
    )
    assert both("gpus", "-o", "names").out == "GPU-1\ngpu1\n"
