"""Docker hosts as containers (`host.py`) and images to run in them (`images.py`), for tests that need a real engine."""
