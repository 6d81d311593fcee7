"""The sandbox's timeline, documents and agenda, whose responses no public source shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from streak_sandbox import Sandbox
from test_streak_sandbox import answer, ask

CHANGES = "[NEWSFEED_BOX_CREATION_MOVE,NEWSFEED_BOX_EDIT]"


@pytest.fixture
def small() -> Iterator[Sandbox]:
    """One team, one pipeline with a field, five plain boxes."""
    with Sandbox(account="empty") as sandbox:
        sandbox.account.add_team("Team")
        sandbox.account.add_pipeline("Sales", boxes=5)
        yield sandbox


@pytest.fixture
def box(small: Sandbox) -> str:
    return next(iter(small.account.boxes))


def timeline(streak: Sandbox, box: str, **query: Any) -> Any:
    return answer(streak, f"v2/boxes/{box}/timeline", **query)


def refused(streak: Sandbox, box: str, **query: Any) -> requests.Response:
    response = ask(streak, f"v2/boxes/{box}/timeline", **query)
    assert response.status_code == 400
    return response


def time_of(entry: dict[str, Any]) -> int:
    inner = entry.get("newsfeedEntry", entry)
    return next(inner[name] for name in ("timestamp", "date") if name in inner)


# --- The timeline ---------------------------------------------------------------------------------


def test_the_timeline_of_a_new_box_holds_only_its_creation(small: Sandbox, box: str) -> None:
    (entry,) = timeline(small, box)["entries"]

    assert entry["newsfeedEntrySpecific"] == "NEW_BOX"
    assert (entry["boxKey"], entry["timestamp"]) == (
        box,
        small.account.boxes[box]["creationTimestamp"],
    )


def test_timeline_entries_come_in_three_shapes(small: Sandbox, box: str) -> None:
    small.account.edit_box(box, stageKey="5002")
    small.account.edit_box(box, fields={"1001": "x"})
    small.account.edit_box(box, name="Other", notes="New")
    entries = timeline(small, box, direction="Ascending")["entries"]

    assert [("key" in entry, "newsfeedEntry" in entry) for entry in entries] == [
        (True, False),
        (True, False),
        (True, True),
        (False, False),
    ]
    assert entries[2]["changes"][0]["after"] == {"value": "x"}
    assert [time_of(entry) for entry in entries] == sorted(time_of(entry) for entry in entries)


def test_the_default_account_shows_all_three_shapes_without_any_change() -> None:
    with Sandbox(boxes=60) as streak:
        bodies = [
            entry
            for key in streak.account.boxes
            for entry in timeline(streak, key, filters=CHANGES)["entries"]
        ]

    assert [entry for entry in bodies if "newsfeedItemKey" in entry]
    assert [entry for entry in bodies if "newsfeedEntry" in entry and "key" in entry]
    assert [entry for entry in bodies if not any(name.lower().endswith("key") for name in entry)]


def test_a_timeline_stays_the_same_and_changes_only_add_to_it(small: Sandbox, box: str) -> None:
    before = timeline(small, box, direction="Ascending")
    assert timeline(small, box, direction="Ascending") == before

    small.account.edit_box(box, stageKey="5003", fields={"1001": "x"})
    small.account.edit_box(box, name="Renamed")
    after = timeline(small, box, direction="Ascending")["entries"]
    assert after[: len(before["entries"])] == before["entries"]
    assert len(after) == len(before["entries"]) + 3


def test_the_page_token_alone_leads_through_all_pages(small: Sandbox, box: str) -> None:
    for number in range(7):
        small.account.edit_box(box, notes=str(number))
    whole = timeline(small, box, filters=CHANGES, direction="Ascending", limit=100)
    page = timeline(small, box, filters=CHANGES, direction="Ascending", limit=3)
    found = list(page["entries"])
    while "nextPage" in page:
        page = timeline(small, box, nextPageToken=page["nextPage"])
        found += page["entries"]

    assert found == whole["entries"]
    assert "nextPage" not in whole
    assert len(found) == 8


@pytest.mark.parametrize("beside", ["filters", "direction", "startTimestamp", "limit"])
def test_a_page_token_beside_another_parameter_is_refused(
    small: Sandbox, box: str, beside: str
) -> None:
    for number in range(7):
        small.account.edit_box(box, notes=str(number))
    query = {"filters": CHANGES, "direction": "Ascending", "startTimestamp": 0, "limit": 3}
    token = timeline(small, box, **query)["nextPage"]

    response = refused(small, box, nextPageToken=token, **{beside: query[beside]})
    assert "nextPageToken" in response.json()["error"]


@pytest.mark.parametrize(
    "query",
    [
        {"filters": "NEWSFEED_BOX_EDIT"},
        {"filters": "[NEWSFEED_BOX_EDIT, COMMENTS]"},
        {"filters": "[GOSSIP]"},
        {"filters": "[]"},
        {"direction": "ascending"},
        {"limit": 101},
        {"limit": 0},
        {"startTimestamp": "yesterday"},
        {"nextPageToken": "nonsense"},
        {"page": 1},
    ],
)
def test_an_invalid_timeline_request_is_refused(
    small: Sandbox, box: str, query: dict[str, Any]
) -> None:
    refused(small, box, **query)


def test_a_timeline_obeys_filters_start_and_direction(small: Sandbox, box: str) -> None:
    account = small.account
    account.add_comment(box, "Hello")
    account.add_meeting(box, "Call")
    account.add_meeting(box, "Talk", meetingType="MEETING_NOTES")
    account.add_thread(box)
    account.add_file(box)
    account.edit_box(box, notes="x")
    whole = timeline(small, box)["entries"]

    assert len(whole) == 7
    assert timeline(small, box, direction="Ascending")["entries"] == whole[::-1]
    for name in ("COMMENTS", "CALL_LOGS", "MEETING_NOTES", "EMAILS", "FILES"):
        (entry,) = timeline(small, box, filters=f"[{name}]")["entries"]
        assert entry["type"] == name
    assert timeline(small, box, filters="[HANGOUTS_CHAT]") == {"entries": []}
    assert len(timeline(small, box, filters="[COMMENTS,FILES]")["entries"]) == 2
    edited = account.boxes[box]["lastUpdatedTimestamp"]
    later = timeline(small, box, direction="Ascending", startTimestamp=edited - 1)
    assert later["entries"] == whole[:1]
    assert timeline(small, box, startTimestamp=edited)["entries"] == whole[1:]


def test_timeline_entries_can_be_added_exactly_as_given(small: Sandbox, box: str) -> None:
    small.account.put_changes(box, {5: {"surprise": [1]}, 7: {"key": None}})

    entries = timeline(small, box, direction="Ascending", startTimestamp=4)["entries"]
    assert entries[:2] == [{"surprise": [1]}, {"key": None}]


def test_the_timeline_has_moods(small: Sandbox, box: str) -> None:
    path = f"v2/boxes/{box}/timeline"
    small.moods.timeline = "gone"
    assert ask(small, path).status_code == 410

    small.moods.timeline = "other_envelope"
    assert set(answer(small, path)) == {"results", "hasNextPage"}

    small.moods.timeline = "filters_refused"
    assert ask(small, path, filters=CHANGES).status_code == 400
    assert len(answer(small, path)["entries"]) == 1
    with pytest.raises(ValueError, match="timeline"):
        small.moods.timeline = "sad"


def test_a_box_that_is_gone_or_fails_has_no_timeline_and_no_document(
    small: Sandbox, box: str
) -> None:
    paths = (f"v2/boxes/{box}/timeline", f"v1/boxes/{box}/md")
    small.moods.failing_boxes = {box}
    assert [ask(small, path).status_code for path in paths] == [500, 500]

    small.account.delete_box(box)
    assert [ask(small, path).status_code for path in paths] == [404, 404]


# --- Documents ------------------------------------------------------------------------------------


def document(streak: Sandbox, box: str, **query: Any) -> requests.Response:
    return ask(streak, f"v1/boxes/{box}/md", **query)


def test_a_document_is_markdown_and_holds_what_people_wrote(small: Sandbox, box: str) -> None:
    small.account.edit_box(box, name="Größe 株式会社", notes="first call\x00 done")
    small.account.add_comment(box, "Sent the papers 📄")
    response = document(small, box)

    assert response.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert response.text.startswith("# Größe 株式会社\n")
    assert "first call\x00 done" in response.text
    assert "Sent the papers 📄" in response.text
    assert document(small, box).text == response.text


def test_every_box_of_the_default_account_has_a_document() -> None:
    with Sandbox(boxes=60) as streak:
        texts = [document(streak, key).text for key in streak.account.boxes]

    assert all(text.startswith("# ") and "## Timeline" in text for text in texts)
    assert any("## Contacts" in text and "## Linked boxes" in text for text in texts)


def test_max_tokens_shortens_a_document_and_is_refused_if_too_small(
    small: Sandbox, box: str
) -> None:
    for number in range(50):
        small.account.edit_box(box, notes=str(number))
    whole = document(small, box).text

    assert "at least" in document(small, box, maxTokens=1).json()["error"]
    assert document(small, box, maxTokens=100_000).text == whole
    assert 0 < len(document(small, box, maxTokens=100).text) < len(whole)


@pytest.mark.parametrize(
    ("mood", "kind", "beginning"),
    [
        ("plain", "text/plain; charset=utf-8", "# "),
        ("html", "text/html; charset=utf-8", "<!doctype"),
        ("json", "application/json; charset=utf-8", '{"markdown"'),
    ],
)
def test_documents_have_moods(
    small: Sandbox, box: str, mood: str, kind: str, beginning: str
) -> None:
    small.moods.documents = mood
    response = document(small, box)

    assert response.headers["Content-Type"] == kind
    assert response.text.startswith(beginning)


# --- The agenda, boxes of v2, one snippet ---------------------------------------------------------


def test_the_agenda_lists_the_users_own_open_tasks_that_are_due(small: Sandbox, box: str) -> None:
    account = small.account
    due = account.add_task(box, "Now", dueDate=1)
    done = account.add_task(box, "Past", dueDate=2, status="DONE")
    account.add_task(box, "Never", dueDate=4_000_000_000_000)
    stranger = account.add_user("eve@example.com", "Eve")["key"]

    assert answer(small, "v2/tasks")["results"] == [due]
    assert answer(small, "v2/tasks", includeCompleted="true")["results"] == [done, due]
    assert answer(small, "v2/tasks", userKeys=stranger)["results"] == []
    assert ask(small, "v2/tasks", colour="red").status_code == 400


def test_the_v2_list_of_boxes_has_pages_too(small: Sandbox, box: str) -> None:
    path = f"v2/pipelines/{small.account.boxes[box]['pipelineKey']}/boxes"
    first, last = (answer(small, path, limit=3, page=page) for page in (0, 1))

    assert [row["name"] for row in last["results"]] == ["Sales 4", "Sales 5"]
    assert (first["hasNextPage"], last["hasNextPage"]) == (True, False)
    assert ask(small, path, offset=3).status_code == 400


def test_one_snippet_comes_in_an_array() -> None:
    with Sandbox(boxes=30) as streak:
        first = streak.account.snippets[0]
        assert answer(streak, f"v1/snippets/{first['key']}") == [first]
