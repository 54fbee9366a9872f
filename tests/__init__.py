"""The tests; `tests.*` is importable so that suites can share helpers."""
