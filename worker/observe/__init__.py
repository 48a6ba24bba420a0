"""What a person sees of the worker: logs, status, card, checks."""
