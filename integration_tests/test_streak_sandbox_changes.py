"""Changes in the sandbox's account, and what its API answers afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from streak_sandbox import Sandbox, keys
from test_streak_sandbox import answer, ask


@pytest.fixture
def small() -> Iterator[Sandbox]:
    """One team, one pipeline with a field, five plain boxes."""
    with Sandbox(account="empty") as sandbox:
        sandbox.account.add_team("Team")
        sales = sandbox.account.add_pipeline("Sales", boxes=5)
        sandbox.account.add_field(sales["key"], "Source", "DROPDOWN", ["Web", "Fair"])
        yield sandbox


@pytest.fixture
def sales(small: Sandbox) -> str:
    return next(iter(small.account.pipelines))


@pytest.fixture
def box(small: Sandbox) -> str:
    return next(iter(small.account.boxes))


@pytest.fixture
def team(small: Sandbox) -> str:
    return next(iter(small.account.teams))


def listed(streak: Sandbox, pipeline: str) -> list[str]:
    return [box["key"] for box in answer(streak, f"v1/pipelines/{pipeline}/boxes")]


def counted(streak: Sandbox, pipeline: str) -> int:
    return answer(streak, f"v2/pipelines/{pipeline}")["boxCount"]


# --- Boxes ----------------------------------------------------------------------------------------


def test_an_archived_box_answers_by_key_and_is_in_no_list(
    small: Sandbox, sales: str, box: str
) -> None:
    small.account.add_comment(box, "Hello")
    saved = small.account.boxes[box]["lastSavedTimestamp"]
    small.account.archive_box(box)

    assert box not in listed(small, sales)
    assert counted(small, sales) == 4
    assert answer(small, f"v1/boxes/{box}")["lastSavedTimestamp"] > saved
    assert len(answer(small, f"v2/boxes/{box}/comments")["results"]) == 1


def test_an_archived_box_can_still_be_counted_and_be_unarchived(
    small: Sandbox, sales: str, box: str
) -> None:
    small.account.archive_box(box, counted=True)
    assert counted(small, sales) == 5
    assert len(listed(small, sales)) == 4

    small.account.unarchive_box(box)
    assert counted(small, sales) == len(listed(small, sales)) == 5


@pytest.mark.parametrize("still_counted", [True, False])
def test_an_archived_box_can_be_edited_moved_and_deleted(
    small: Sandbox, sales: str, box: str, still_counted: bool
) -> None:
    other = small.account.add_pipeline("Other")["key"]
    small.account.archive_box(box, counted=still_counted)
    small.account.edit_box(box, stageKey="5002")
    small.account.move_box(box, other)

    assert answer(small, f"v1/boxes/{box}")["pipelineKey"] == other
    assert listed(small, other) == []
    assert counted(small, other) == still_counted
    small.account.delete_box(box)
    assert (counted(small, sales), counted(small, other)) == (4, 0)
    assert ask(small, f"v1/boxes/{box}").status_code == 404


def test_the_key_of_a_merged_box_answers_with_the_remaining_box(small: Sandbox, sales: str) -> None:
    kept, gone, *_ = small.account.boxes
    comment = small.account.add_comment(gone, "Hello")["key"]
    small.account.merge_boxes(kept, gone)

    assert answer(small, f"v1/boxes/{gone}")["key"] == kept
    assert gone not in listed(small, sales)
    assert answer(small, f"v1/boxes/{kept}")["commentCount"] == 1
    assert answer(small, f"v2/comments/{comment}")["boxKey"] == kept
    assert ask(small, f"v2/boxes/{gone}/comments").status_code == 404


COUNTERS = {
    "comment": "commentCount",
    "meeting": "callLogCount",
    "task": "taskTotal",
    "thread": "gmailThreadCount",
    "file": "fileCount",
}


@pytest.mark.parametrize(("kind", "counter"), COUNTERS.items())
def test_one_of_two_children_can_be_deleted(
    small: Sandbox, box: str, kind: str, counter: str
) -> None:
    add = getattr(small.account, f"add_{kind}")
    first, second = (add(box, text) for text in ("one", "two"))
    before = dict(small.account.boxes[box])
    getattr(small.account, f"delete_{kind}")(box, first["key"])
    after = answer(small, f"v1/boxes/{box}")

    assert [row["key"] for row in small.account.children[f"{kind}s"][box]] == [second["key"]]
    assert after[counter] == 1
    assert after["lastSavedTimestamp"] > before["lastSavedTimestamp"]
    assert after["lastUpdatedTimestamp"] == before["lastUpdatedTimestamp"]


def test_a_thread_taken_out_of_one_box_stays_in_the_other(small: Sandbox) -> None:
    one, two, *_ = small.account.boxes
    thread = small.account.add_thread(one, boxKeys=[one, two])
    small.account.put_children("threads", two, [thread | {"boxKey": two}])
    small.account.delete_thread(one, thread["key"])

    assert answer(small, f"v1/boxes/{one}/threads") == []
    assert answer(small, f"v1/boxes/{two}/threads")[0]["boxKeys"] == [two]


# --- Pipelines ------------------------------------------------------------------------------------


def test_a_pipeline_can_be_deleted_only_after_it_is_emptied(
    small: Sandbox, sales: str, box: str
) -> None:
    other = small.account.add_pipeline("Other")["key"]
    with pytest.raises(ValueError, match="still has boxes"):
        small.account.delete_emptied_pipeline(sales)
    small.account.empty_pipeline(sales, into=other)
    small.account.delete_emptied_pipeline(sales)

    assert ask(small, f"v2/pipelines/{sales}").status_code == 404
    assert counted(small, other) == 5
    assert answer(small, f"v1/boxes/{box}")["pipelineKey"] == other


def test_emptying_a_pipeline_into_no_other_deletes_its_boxes(small: Sandbox, sales: str) -> None:
    small.account.empty_pipeline(sales)

    assert counted(small, sales) == len(small.account.boxes) == 0


@pytest.mark.parametrize(("as_404", "status"), [(False, 401), (True, 404)])
def test_a_hidden_pipeline_is_in_no_list_and_refused_by_key(
    small: Sandbox, sales: str, box: str, as_404: bool, status: int
) -> None:
    small.moods.hidden_is_404 = as_404
    small.account.hide_pipeline(sales)
    paths = (f"v1/pipelines/{sales}", f"v2/pipelines/{sales}", f"v1/boxes/{box}")

    assert answer(small, "v1/pipelines") == answer(small, "v2/pipelines")["results"] == []
    assert {ask(small, path).status_code for path in paths} == {status}
    small.account.show_pipeline(sales)
    assert len(listed(small, sales)) == 5


@pytest.mark.parametrize("with_values", [False, True])
def test_a_deleted_field_leaves_its_values_or_takes_them_along(
    small: Sandbox, sales: str, box: str, with_values: bool
) -> None:
    small.account.edit_box(box, fields={"1001": "9002"})
    saved = small.account.boxes[box]["lastSavedTimestamp"]
    small.account.delete_field(sales, "1001", with_values=with_values)
    found = answer(small, f"v1/boxes/{box}")

    assert answer(small, f"v2/pipelines/{sales}")["fields"] == []
    assert found["fields"] == ({} if with_values else {"1001": "9002"})
    assert found["lastSavedTimestamp"] == saved


def test_options_can_be_added_renamed_and_deleted(small: Sandbox, sales: str) -> None:
    account = small.account
    stamp = account.pipelines[sales]["lastSavedTimestamp"]
    added = account.add_option(sales, "1001", "Mail")
    account.rename_option(sales, "1001", "9001", "Internet")
    account.delete_option(sales, "1001", "9002")
    (field,) = answer(small, f"v2/pipelines/{sales}")["fields"]

    labels = {row["key"]: row["name"] for row in field["dropdownSettings"]["items"]}
    assert labels == {"9001": "Internet", added["key"]: "Mail"}
    assert account.pipelines[sales]["lastSavedTimestamp"] > stamp


def test_a_stage_can_be_deleted_when_no_box_is_in_it(small: Sandbox, sales: str, box: str) -> None:
    account = small.account
    account.edit_box(box, stageKey="5002")
    with pytest.raises(ValueError, match="still has boxes"):
        account.delete_stage(sales, "5002")
    account.edit_box(box, stageKey="5001")
    account.delete_stage(sales, "5002")
    pipeline = answer(small, f"v2/pipelines/{sales}")

    assert pipeline["stageOrder"] == list(pipeline["stages"]) == ["5001", "5003", "5004"]
    visits = answer(small, f"v1/boxes/{box}")["stageHistoryEntries"]
    assert {row["stageKey"] for row in visits} == {"5001", "5002"}


def test_a_stage_can_be_deleted_with_its_history_and_another_added(
    small: Sandbox, sales: str, box: str
) -> None:
    small.account.edit_box(box, stageKey="5002")
    small.account.edit_box(box, stageKey="5001")
    small.account.delete_stage(sales, "5002", with_history=True)
    added = small.account.add_stage(sales, "Paused")

    visits = answer(small, f"v1/boxes/{box}")["stageHistoryEntries"]
    assert [row["stageKey"] for row in visits] == ["5001"]
    assert added["key"] in answer(small, f"v1/pipelines/{sales}/stages")


# --- Teams and their directory --------------------------------------------------------------------


def test_a_deleted_team_takes_its_directory_along_but_not_its_pipelines(
    small: Sandbox, team: str, sales: str, box: str
) -> None:
    contact = small.account.add_contact(team)["key"]
    small.account.edit_box(box, contacts=[{"key": contact, "isStarred": False}])
    small.account.delete_team(team)

    assert answer(small, "v2/users/me/teams")["results"] == []
    for path in (f"v2/teams/{team}", f"v2/teams/{team}/contacts", f"v2/contacts/{contact}"):
        assert ask(small, path).status_code == 404
    assert answer(small, f"v2/pipelines/{sales}")["teamKey"] is None
    assert answer(small, f"v1/boxes/{box}")["contacts"] == []


@pytest.mark.parametrize(("as_404", "status"), [(False, 401), (True, 404)])
def test_a_team_that_the_user_left_is_refused_until_the_user_rejoins(
    small: Sandbox, team: str, sales: str, as_404: bool, status: int
) -> None:
    small.moods.hidden_is_404 = as_404
    contact = small.account.add_contact(team)["key"]
    small.account.leave_team(team)
    paths = (f"v2/teams/{team}", f"v2/teams/{team}/users", f"v2/contacts/{contact}")

    assert answer(small, "v2/users/me/teams")["results"] == []
    assert answer(small, "v2/pipelines")["results"] == []
    assert {ask(small, path).status_code for path in paths} == {status}
    small.account.rejoin_team(team)
    assert len(answer(small, f"v2/teams/{team}/contacts")["results"]) == 1
    assert len(listed(small, sales)) == 5


def test_a_deleted_contact_disappears_from_other_contacts_organizations_and_boxes(
    small: Sandbox, team: str, box: str
) -> None:
    account = small.account
    gone, friend = (account.add_contact(team, givenName=name)["key"] for name in ("A", "B"))
    acme = account.add_organization(team, name="Acme")["key"]
    account.link("contacts", friend, "contacts", gone)
    account.link("organizations", acme, "contacts", gone)
    account.edit_box(box, contacts=[{"key": gone, "isStarred": True}])
    stamps = {
        key: account.directory_entry("contacts", key)["lastSavedTimestamp"] for key in (friend,)
    }
    account.delete_contact(gone)

    assert ask(small, f"v2/contacts/{gone}").status_code == 404
    assert answer(small, f"v2/contacts/{friend}")["contactLinks"] == []
    assert answer(small, f"v2/contacts/{friend}")["lastSavedTimestamp"] > stamps[friend]
    assert answer(small, f"v2/organizations/{acme}")["contactLinks"] == []
    assert answer(small, f"v1/boxes/{box}")["contacts"] == []


def test_the_key_of_a_merged_contact_answers_with_the_remaining_contact(
    small: Sandbox, team: str, box: str
) -> None:
    account = small.account
    kept = account.add_contact(team, givenName="A", emailAddresses=["a@example.org"])["key"]
    gone = account.add_contact(
        team, familyName="B", emailAddresses=["b@example.org"], fields={"1001": "x"}
    )["key"]
    links = [{"key": key, "isStarred": False} for key in (kept, gone)]
    account.edit_box(box, contacts=links)
    account.merge_contacts(kept, gone)
    told = answer(small, f"v2/contacts/{gone}")

    assert told == answer(small, f"v2/contacts/{kept}")
    assert (told["givenName"], told["familyName"], told["fields"]) == ("A", "B", {"1001": "x"})
    assert told["emailAddresses"] == ["a@example.org", "b@example.org"]
    assert [row["key"] for row in answer(small, f"v2/teams/{team}/contacts")["results"]] == [kept]
    assert [row["key"] for row in answer(small, f"v1/boxes/{box}")["contacts"]] == [kept]


def test_an_organization_can_be_merged_and_deleted(small: Sandbox, team: str) -> None:
    account = small.account
    kept, gone = (account.add_organization(team, name=name)["key"] for name in ("A", "B"))
    account.merge_organizations(kept, gone)
    assert answer(small, f"v2/organizations/{gone}")["key"] == kept

    account.delete_organization(kept)
    assert {ask(small, f"v2/organizations/{key}").status_code for key in (kept, gone)} == {404}


def test_links_between_two_contacts_go_both_ways(small: Sandbox, team: str) -> None:
    account = small.account
    one, two = (account.add_contact(team)["key"] for _ in range(2))
    account.link("contacts", one, "contacts", two, magic=True)
    (link,) = answer(small, f"v2/contacts/{two}")["contactLinks"]
    assert (link["key"], link["isMagicLinked"]) == (one, True)

    account.unlink("contacts", two, "contacts", one)
    assert answer(small, f"v2/contacts/{one}")["contactLinks"] == []


@pytest.mark.parametrize("kind", ["contacts", "organizations"])
def test_fields_of_a_team_can_be_added_renamed_and_deleted(
    small: Sandbox, team: str, kind: str
) -> None:
    account = small.account
    key = account.add_team_field(kind, team, "Region", "TAG", ["North", "South"])["key"]
    row = account.add_contact(team) if kind == "contacts" else account.add_organization(team)
    edit = account.edit_contact if kind == "contacts" else account.edit_organization
    edit(row["key"], fields={key: "9001"})
    account.rename_team_field(kind, team, key, "Where")
    account.rename_team_option(kind, team, key, "9001", "Nord")
    account.add_team_option(kind, team, key, "East")
    account.delete_team_option(kind, team, key, "9002")
    told = answer(small, f"v2/teams/{team}")
    settings = told["contactSettings" if kind == "contacts" else "organizationSettings"]["fields"]

    assert settings[key]["name"] == "Where"
    assert [row["tag"] for row in settings[key]["tagSettings"]["tags"]] == ["Nord", "East"]
    account.delete_team_field(kind, team, key, with_values=True)
    assert answer(small, f"v2/{kind}/{row['key']}")["fields"] == {}


def test_fields_of_a_contact_are_set_and_cleared_one_by_one(small: Sandbox, team: str) -> None:
    contact = small.account.add_contact(team, fields={"1001": "a", "1002": "b"})["key"]
    small.account.edit_contact(contact, fields={"1001": None, "1003": "c"})

    assert answer(small, f"v2/contacts/{contact}")["fields"] == {"1002": "b", "1003": "c"}


@pytest.mark.parametrize("path", ["v2/organizations/{}", "v2/teams/{}", "v1/pipelines/{}"])
def test_an_unknown_key_is_a_404(small: Sandbox, path: str) -> None:
    unknown = {
        "v2/organizations/{}": keys.organization_key(987),
        "v2/teams/{}": keys.team_key(987),
        "v1/pipelines/{}": keys.pipeline_key(987),
    }[path]

    assert ask(small, path.format(unknown)).status_code == 404
