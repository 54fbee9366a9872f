"""Tasks about model files, through both front doors."""

from __future__ import annotations

from llmstack.cli.schemas import schema_of
from tests.unit.cli.test_both_doors import called
from tests.unit.cli.test_formats import closed, wrong


def test_model_files_are_listed_with_what_is_in_them(both):
    ran = both("weights.list", "--host", "gpu")
    assert ran.code == 0
    assert called("weights") == [(("gpu",), {})]
    assert "m.gguf    localhost  folder  3.2 GB  llama 8B Q4_K_M 8192 tokens  dddddddddddd  lab/demo" in ran.out
    assert "6.4 GB, 3.2 GB of it unused" in ran.out
    ran = both("weights.list", "-o", "json", "--host", "gpu03")
    assert (ran.code, ran.json["kind"], [item["name"] for item in ran.json["items"]]) == (
        4,
        "weights",
        ["m.gguf", "old.gguf"],
    )
    assert wrong(ran.json, closed(schema_of("weights"))) == []
    assert "gpu03: no route to host" in ran.err


def test_pruning_shows_what_is_unused_and_asks_first(both, door):
    ran = both("weights.prune")
    assert ran.code == 12
    assert "old.gguf  gpu01" in ran.err
    assert "m.gguf  localhost" not in ran.err
    assert ran.err.endswith(f"to do it without being asked: {door} weights.prune --yes\n")
    assert called("prune_weights") == []
    assert both("weights.prune", "--yes").code == 0
    assert called("prune_weights") == [(["volume/f1/old.gguf@gpu01"], {})]


def test_check_and_nothing_to_do_only_list(both):
    ran = both("weights.prune", "--check", "-o", "json")
    assert [item["target"] for item in ran.json["items"]] == ["volume/f1/old.gguf@gpu01"]
    assert both("weights.prune", "--host", "used", "--yes").out == "no model files\n"
    assert called("prune_weights") == []


def test_damage_is_a_failure(both):
    ran = both("weights.verify", "-o", "json")
    assert (ran.code, ran.json["items"][0]["error"]["hint"]) == (10, "fetch it again")


def test_the_disk_use_says_what_is_unknown(both):
    ran = both("du")
    assert ran.code == 0
    assert ran.out.splitlines()[-2:] == ["gpu01: 1 of unknown size", "localhost: 3.2 GB"]
    assert ran.out.splitlines()[0].split() == ["MODEL", "HOST", "IN", "SIZE", "DIGEST", "USED", "BY"]
    assert ran.out.splitlines()[1] == "llama3  gpu01      ollama  -       -             llama3"
    ran = both("du", "-o", "json", "--host", "gpu03")
    assert (ran.code, ran.json["items"][0]["size_bytes"]) == (4, None)
    assert wrong(ran.json, closed(schema_of("du"))) == []
