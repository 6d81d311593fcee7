"""All points, one after the other, and the report."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version

from probing import boxes, history, keys, lists, more, people, pipelines, properties, values
from probing.asking import Asking, ProbeClient
from probing.assumptions import judged
from probing.names import Known
from probing.points import Point, Row, Sample, Section
from probing.report import LIMITS, Report
from source_streak.api.clock import Clock
from source_streak.api.errors import StreakError
from source_streak.config import Config

SLOW = 50.0  # milliseconds, from which on the sandbox would have to wait to be as slow
Show = Callable[[str, int], None]  # the point, and how many requests were sent


def points(with_post: bool = False) -> Iterator[tuple[str, Callable[[Sample], Point]]]:
    """In this order: the first ones find what the others ask about."""
    yield "the key's user", people.myself
    yield "teams", people.teams
    yield "pipelines", pipelines.pipelines
    yield "box lists", lists.box_lists
    yield "envelopes", lists.envelopes
    yield "limits", lists.limits
    yield "v2 list of boxes", lists.second_list
    if with_post:
        yield "batch read", lists.batch_read
    yield "counters", lists.counters
    yield "stamps", values.stamps
    yield "fields", values.fields
    yield "stages", pipelines.stages
    yield "boxes by key", boxes.by_key
    yield "timeline", history.timeline
    yield "timeline, pages", history.timeline_pages
    yield "timeline, filters", history.timeline_filters
    yield "documents", history.documents
    for kind in boxes.KINDS:
        yield kind.title, partial(boxes.children, kind=kind)
    yield "newsfeed", more.newsfeed
    yield "snippets", more.snippets
    yield "agenda", more.agenda
    yield "contacts", partial(people.directory, kind="contacts")
    yield "organizations", partial(people.directory, kind="organizations")
    yield "contacts after a time", people.after
    yield "single objects", keys.single_objects
    yield "unknown keys", keys.strangers
    yield "properties", properties.properties


def probe(config: Config, clock: Clock, show: Show, with_post: bool = False) -> Report:
    """The report, whatever comes: what cannot be asked or understood is said in it."""
    known, sample = Known(), Sample()
    known.note(config.api_key)
    client = ProbeClient(config, clock)
    report = Report(known, version("airbyte-source-streak"))
    report.date = datetime.datetime.fromtimestamp(
        clock.now() / 1_000, datetime.timezone.utc
    ).strftime("%Y-%m-%d")
    asking, began = Asking(client, known, show), clock.monotonic()
    try:
        for title, point in points(with_post):
            show(title, client.sent)
            report.sections.append(asking.run(title, point(sample)))
            if _key_refused(report):
                report.ended = "Streak does not know this API key."
                break
    except StreakError as problem:
        report.ended = problem.sentence
    except KeyboardInterrupt:
        report.ended = "Stopped by hand."
    finally:
        client.close()
    report.requests, report.seconds = client.sent, clock.monotonic() - began
    report.statuses, report.headers, report.headers_of = (
        client.statuses,
        client.headers,
        client.headers_of,
    )
    report.sections.append((_rates(report), []))
    report.sections.append((_not_asked(with_post), []))
    return report


def _key_refused(report: Report) -> bool:
    """The very first question: users/me."""
    _, answers = report.sections[0]
    return len(report.sections) == 1 and bool(answers) and answers[0].status in (401, 403)


def _rates(report: Report) -> Section:
    """Point 17: what the answers themselves tell of limits. None is provoked."""
    told = {title for title in report.headers if LIMITS.search(title)}
    limited = report.statuses[429]
    after = "retry-after" in report.headers_of.get(429, set())
    moods: Row = {"latency_ms": round(report.middle, -1)} if report.middle >= SLOW else {}
    if limited:
        moods["rate_limit_per_second"] = "less than 5"
    if after:
        moods["retry_after"] = "told"
    refused = f"{limited} of {report.requests} requests were refused with 429"
    refused += f", {'with' if after else 'without'} Retry-After" if limited else ""
    headers = f"{len(told)} headers have names that may tell of limits"
    return Section(
        "Limits of requests",
        (f"{refused}.", f"{headers}; the names are under On the wire."),
        assumptions=(
            judged("rate", refused, not limited if report.requests else None),
            judged("rate headers", headers, not told - {"retry-after"} if report.headers else None),
        ),
        moods=moods,
    )


def _not_asked(with_post: bool) -> Section:
    rows = [judged("www", "not asked: the key goes to one host only", None)]
    if not with_post:
        why = "not asked: it is a POST; `make probe POST=1` asks it too"
        rows.append(judged("batch", why, None))
    return Section("Not asked", assumptions=tuple(rows))
