"""The `thinkq` command; no logic of its own, and nothing heavy is imported until it is used."""
