"""A Streak that runs on 127.0.0.1: for tests, for `make demo` and for the benchmark.

    with Sandbox(boxes=150) as streak:
        requests.get(streak.url + "v2/pipelines", auth=(streak.key, ""))

Written from the API notes alone. It imports nothing of the connector, so that a misreading is not
made twice.
"""

from .account import Account
from .api import KEY_ISSUE
from .moods import Moods
from .server import DEFAULT_KEY, Entry, Sandbox

__all__ = ["DEFAULT_KEY", "KEY_ISSUE", "Account", "Entry", "Moods", "Sandbox"]
