"""Plain values and rules: imports nothing of ours but itself, no input or output, no clock."""
