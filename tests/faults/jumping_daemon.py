"""`thinkq` with a wall clock that jumps: jumping_daemon.py FILE run --config …

FILE holds by how many seconds the clock is wrong. Only the wall clock: as on a machine whose time
is set, the monotonic clock goes on.
"""

import sys
import time
from pathlib import Path

from worker.cli import main

wrong_by = Path(sys.argv[1])
true_s, true_ns = time.time, time.time_ns
time.time = lambda: true_s() + float(wrong_by.read_text())
time.time_ns = lambda: true_ns() + int(float(wrong_by.read_text()) * 1e9)
sys.exit(main(sys.argv[2:]))
