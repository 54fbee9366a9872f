"""Measures llmstack beside a peer in the same run; figures are medians, and ratios are what counts."""
