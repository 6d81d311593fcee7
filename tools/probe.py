"""`make probe`: asks a live Streak what nobody has documented, and writes probe.md.

It reads, and never writes: at most 200 requests, 5 a second. The key is in STREAK_API_KEY or in
secrets/config.json ({"api_key": "…"}).
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from pathlib import Path

from probing.asking import REQUESTS_PER_SECOND
from probing.run import probe
from progress import Progress

from source_streak.api.clock import Clock
from source_streak.api.errors import StreakError
from source_streak.config import Config

USUAL_REQUESTS = 150
SECRETS = Path("secrets/config.json")
NO_KEY = (
    f"There is no key: put it into the environment as STREAK_API_KEY, or into {SECRETS} as "
    '{"api_key": "…"}. Gmail > Streak > Integrations > Custom integrations makes one.'
)


def main() -> None:
    """Ends with 1 if the key is missing or refused, or nothing could be asked."""
    arguments = _arguments()
    logging.disable(logging.CRITICAL)  # the report says what came; a log would say it twice
    try:
        config = Config.from_settings(
            {"api_key": key(os.environ), "requests_per_second": REQUESTS_PER_SECOND}
        )
    except StreakError as problem:
        sys.exit(problem.sentence)
    with Progress("Asking Streak", total=USUAL_REQUESTS, every=5) as progress:

        def show(title: str, sent: int) -> None:
            progress.update(stream=title, requests=sent, done=sent)

        report = probe(config, Clock(), show, with_post=arguments.post)
    text = report.markdown()
    arguments.output.write_text(text, encoding="utf-8")
    print(text)
    print(f"Written to {arguments.output}: nothing of the account is in it.", file=sys.stderr)
    if report.ended:
        sys.exit(report.ended)


def key(environment: dict[str, str] | os._Environ[str]) -> str:
    """The API key. Raises StreakError with a sentence that says where to put it."""
    if given := environment.get("STREAK_API_KEY", "").strip():
        return given
    try:
        settings = json.loads(SECRETS.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StreakError(NO_KEY, "config_error") from None
    except ValueError:
        raise StreakError(f"{SECRETS} is no JSON. {NO_KEY}", "config_error") from None
    found = settings.get("api_key") if isinstance(settings, dict) else None
    if not isinstance(found, str) or not found.strip():
        raise StreakError(f"{SECRETS} has no api_key. {NO_KEY}", "config_error")
    return found.strip()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("probe.md"))
    parser.add_argument(
        "--post", action="store_true", help="ask the batch read too, a POST that changes nothing"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
