"""Files and functions stay small enough to read at a glance."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from statistics import median

from tests.meta.source import ROOT, code_lines, functions, product, short

FILE_LINES, TEST_LINES, FUNCTION_LINES, PLUGIN_LINES, README_LINES, PRODUCT_LINES = 300, 400, 40, 120, 120, 21_340


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def over(limit: int, paths: Iterable[Path]) -> dict[str, int]:
    return {short(path): lines(path) for path in paths if lines(path) > limit}


def test_files_have_at_most_300_lines() -> None:
    assert over(FILE_LINES, [*product(), *(ROOT / "benchmarks").glob("*.py")]) == {}


def test_test_files_have_at_most_400_lines() -> None:
    assert over(TEST_LINES, (ROOT / "tests").rglob("*.py")) == {}


def test_plugins_have_at_most_120_lines() -> None:
    assert over(PLUGIN_LINES, (ROOT / "plugins").glob("*.py")) == {}


def test_the_readme_has_at_most_120_lines() -> None:
    assert lines(ROOT / "README.md") <= README_LINES


def test_functions_have_at_most_40_lines() -> None:
    long = {
        f"{short(path)}:{name}": length
        for path in product()
        for name, length in functions(path)
        if length > FUNCTION_LINES
    }
    assert long == {}


def test_medians_and_the_whole_stay_small() -> None:
    files = [lines(path) for path in product() if lines(path) > 1]
    lengths = [length for path in product() for _, length in functions(path)]
    code = sum(code_lines(path) for path in product())
    print(f"{len(files)} files, median {median(files)}, together {sum(files)} lines, {code} of code; ", end="")
    print(f"{len(lengths)} functions, median {median(lengths)}")
    assert median(files) <= 120
    assert median(lengths) <= 10
    assert code <= PRODUCT_LINES
