"""Facts about GPUs, and which container uses them."""
