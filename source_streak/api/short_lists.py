"""The lists of teams and of pipelines, requested anew at each call."""

from __future__ import annotations

import logging

from source_streak.api import errors
from source_streak.api.access import Access
from source_streak.api.bounds import MOST_SHORT, Bound
from source_streak.api.client import json_of
from source_streak.api.errors import Reason, Refused, Unanswered
from source_streak.api.paging import (
    Numbered,
    Page,
    Pager,
    Params,
    Row,
    Whole,
    collect,
    key_of,
    parse_page,
    read_list,
)

LOGGER = logging.getLogger("airbyte.account")


class ShortLists:
    """Reads teams and pipelines; all methods block. Raises StreakError if a list cannot be read."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def teams(self) -> list[Row]:
        """https://streak.readme.io/reference/get-my-teams. Asks again if the answer is empty."""
        what = "the list of teams"
        return self._top_list(
            "v2/users/me/teams", Numbered(100), what, "teamKey"
        ) or self._top_list("v2/users/me/teams", Numbered(100), what, "teamKey")

    def pipelines(self) -> list[Row]:
        """https://streak.readme.io/reference/list-all-pipelines.

        Asks v1 if v2 refuses the request (other than with 401 or 403) or has no pipelines. An empty
        answer is not believed at once, because it would empty the destination.
        """
        what = "the list of pipelines"
        try:
            found = self._list("v2/pipelines", Numbered(100), "pipelineKey")
        except Refused as refusal:
            if errors.reason_of(refusal) is Reason.NO_ACCESS:
                raise errors.failure(refusal, what) from refusal
            found = []
        except Unanswered as unanswered:
            raise errors.failure(unanswered, what) from unanswered
        return found or self._top_list("v1/pipelines", Whole(), what, "pipelineKey")

    def _top_list(self, path: str, pager: Pager, what: str, also: str) -> list[Row]:
        try:
            return self._list(path, pager, also)
        except (Refused, Unanswered) as refusal:
            raise errors.failure(refusal, what) from refusal

    def _list(self, path: str, pager: Pager, also: str) -> list[Row]:
        """`also`: the other name under which a row may have its key."""

        def identify(row: Row) -> str | None:
            return key_of(row, ("key", also))

        def page(params: Params) -> Page:
            return self._access.get(path, params, lambda response: parse_page(json_of(response)))

        rows, whole = collect(read_list(pager, page, identify=identify), Bound(MOST_SHORT))
        if not whole:
            raise errors.endless_list(path)
        known = [{**row, "key": key} for row in rows if (key := identify(row))]
        if len(known) < len(rows):
            LOGGER.warning(
                "%s of %s rows in %s left out: no key.", len(rows) - len(known), len(rows), path
            )
        return known
