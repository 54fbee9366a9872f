"""Steps from one schema to the next, in order: `NNNN_name.py` with `up(database)`.

A step that was released is never edited. It brings its own frozen row classes, so that it does the same for ever,
whatever the classes of today look like.
"""
