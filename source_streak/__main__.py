"""`python -m source_streak`, the same as the command `source-streak`."""

import sys

from source_streak.run import run

sys.argv[0] = "source-streak"  # for the usage text
run()
