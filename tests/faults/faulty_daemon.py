"""`thinkq` with a fault in its start: faulty_daemon.py run --config …"""

import sys

from worker.cli import main
from worker.transport.connection import Connection


async def fails(_connection):
    raise RuntimeError("a fault of ours")


Connection.start = fails
sys.exit(main(sys.argv[1:]))
