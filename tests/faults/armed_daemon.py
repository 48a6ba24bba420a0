"""`thinkq` with a crash point armed: armed_daemon.py POINT TIME run --config …"""

import sys

from worker import crash_points
from worker.cli import main

crash_points.arm(crash_points.CrashPoint(sys.argv[1]), int(sys.argv[2]))
sys.exit(main(sys.argv[3:]))
