"""The model, in a process of its own; the only rooms that import mlx (`supervisor` does not)."""
