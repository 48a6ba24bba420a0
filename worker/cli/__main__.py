"""`python -m worker.cli` is `thinkq`."""

import sys

from worker.cli import main

sys.exit(main())
