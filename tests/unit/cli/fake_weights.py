"""The part of the stand-in for `llmstack.app` that tells of model files."""

from __future__ import annotations

from dataclasses import replace

from llmstack.domain.outcome import Outcome, RunResult, Status
from llmstack.domain.stock import DiskUse, Kept, Stock
from llmstack.domain.target import Target
from llmstack.domain.weights import ModelFile
from llmstack.errors import FetchError, UnreachableError


class FakeWeights:
    """One file that is used, and one that is not, unless `used` is asked for; `gpu03` is away."""

    def _note(self, name: str, about: object, **options: object) -> None:
        raise NotImplementedError

    def weights(self, hosts: tuple[str, ...]) -> Stock:
        self._note("weights", hosts)
        old = ModelFile(fingerprint="f1", name="old.gguf", source="hf:o/r", size_bytes=3_200_000_000, sha256="d" * 64)
        old = replace(old, architecture="llama", parameters=8_030_000_000, context=8192, quantization="Q4_K_M")
        used = Kept(host="localhost", engine="process", file=replace(old, name="m.gguf"), used_by=("lab/demo",))
        away = {("gpu03", "docker"): UnreachableError("gpu03: no route to host")} if "gpu03" in hosts else {}
        return Stock(
            items=(used,) if "used" in hosts else (used, Kept(host="gpu01", engine="docker", file=old)), lost=away
        )

    def prune_weights(self, found: Stock) -> RunResult:
        self._note("prune_weights", [str(item.target) for item in found.items])
        return RunResult(
            task="weights.prune",
            outcomes=tuple(Outcome(target=item.target, status=Status.CHANGED) for item in found.items),
        )

    def verify_weights(self, hosts: tuple[str, ...]) -> RunResult:
        self._note("verify_weights", hosts)
        wrong = FetchError("old.gguf on gpu01 is damaged", "fetch it again")
        target = Target("old.gguf", "gpu01")
        return RunResult(task="weights.verify", outcomes=(Outcome(target=target, status=Status.FAILED, error=wrong),))

    def disk_use(self, hosts: tuple[str, ...]) -> tuple[tuple[DiskUse, ...], Stock]:
        stock = self.weights(hosts)
        mute = DiskUse(model="llama3", host="gpu01", where="ollama", used_by=("llama3",))
        file = DiskUse(model="m.gguf", host="localhost", where="folder", digest="d" * 64, size_bytes=3_200_000_000)
        return (mute, file), stock
