"""`python -m source_streak`, the same as the command `source-streak`."""

from source_streak.run import run

run()
