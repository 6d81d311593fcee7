"""A Singer tap that reads boxes, only for comparison with the connector (`make bench`).

It is what a careful author gets from singer-sdk's own parts: the boxes of each pipeline, page by
page, with 16 columns. It runs in an environment of its own (.venv-tap) against the sandbox.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import requests
from singer_sdk import RESTStream, Tap, typing
from singer_sdk.authenticators import BasicAuthenticator
from singer_sdk.pagination import BasePageNumberPaginator

LIMIT = 500
TEXTS = ("key", "name", "pipelineKey", "stageKey", "creatorKey", "notes", "colorHex")
TIMES = ("creationTimestamp", "lastUpdatedTimestamp", "lastStageChangeTimestamp")
COUNTS = ("commentCount", "taskTotal", "fileCount", "gmailThreadCount", "callLogCount")


class UntilEmpty(BasePageNumberPaginator):
    """Pages 0, 1, 2, … until one has fewer than LIMIT rows."""

    def has_more(self, response: requests.Response) -> bool:
        found = response.json()
        return len(found["results"] if isinstance(found, dict) else found) == LIMIT


class StreakStream(RESTStream[int]):
    """Streak's address and key."""

    url_base = os.environ.get("STREAK_API_URL", "").rstrip("/")

    @property
    def authenticator(self) -> BasicAuthenticator:
        return BasicAuthenticator(username=self.config["api_key"], password="")

    def parse_response(self, response: requests.Response) -> Iterable[dict[str, Any]]:
        found = response.json()
        yield from found["results"] if isinstance(found, dict) else found


class Pipelines(StreakStream):
    """The parents of boxes."""

    name = "pipelines"
    path = "/v1/pipelines"
    primary_keys = ("key",)
    schema = typing.PropertiesList(typing.Property("key", typing.StringType)).to_dict()

    def get_child_context(self, record: dict[str, Any], context: Any) -> dict[str, Any]:
        return {"pipelineKey": record["key"]}


class Boxes(StreakStream):
    """The boxes of one pipeline."""

    name = "boxes"
    path = "/v1/pipelines/{pipelineKey}/boxes"
    primary_keys = ("key",)
    parent_stream_type = Pipelines
    state_partitioning_keys = ()
    schema = typing.PropertiesList(
        *(typing.Property(name, typing.StringType) for name in TEXTS),
        *(typing.Property(name, typing.IntegerType) for name in (*TIMES, *COUNTS)),
        typing.Property("fields", typing.ObjectType(additional_properties=True)),
    ).to_dict()

    def get_new_paginator(self) -> UntilEmpty:
        return UntilEmpty(start_value=0)

    def get_url_params(self, context: Any, next_page_token: int | None) -> dict[str, Any]:
        return {"limit": LIMIT, "page": next_page_token or 0, "sortBy": "creationTimestamp"}


class TapStreak(Tap):
    """Pipelines and their boxes."""

    name = "tap-streak"
    config_jsonschema = typing.PropertiesList(
        typing.Property("api_key", typing.StringType, required=True)
    ).to_dict()

    def discover_streams(self) -> list[StreakStream]:
        return [Pipelines(self), Boxes(self)]


if __name__ == "__main__":
    TapStreak.cli()
