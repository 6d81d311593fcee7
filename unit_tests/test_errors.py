"""What each refusal leads to, and the error messages that a user reads."""

from __future__ import annotations

import json

import pytest

from source_streak.api import errors
from source_streak.api.errors import (
    Action,
    Level,
    Reason,
    Refusals,
    Refused,
    StreakError,
    TooLarge,
    Unanswered,
)

NEW_KEY = "Gmail > Streak > Integrations > Custom integrations > Create new key"
UNANSWERED = Unanswered("Streak reported an error on its side (500).", 9, "5 minutes")
KEY_ISSUE = Refused(400, "Illegal Argument Exception in GetEntities, usually a key issue")
BOMB = TooLarge(256 * 2**20)

TABLE = [
    # refusal, top-level list, a pipeline's or team's list, a box's child
    (Refused(401), Action.DOUBT_KEY, Action.DOUBT_KEY, Action.DOUBT_KEY),
    (Refused(403), Action.DOUBT_KEY, Action.DOUBT_KEY, Action.DOUBT_KEY),
    (Refused(404), Action.FAIL, Action.SKIP, Action.GONE),
    (KEY_ISSUE, Action.FAIL, Action.SKIP, Action.GONE),
    (Refused(410), Action.FAIL, Action.FAIL, Action.FAIL),
    (Refused(400), Action.FAIL, Action.FAIL, Action.SKIP),
    (Refused(422), Action.FAIL, Action.FAIL, Action.SKIP),
    (Refused(302), Action.FAIL, Action.FAIL, Action.SKIP),
    (UNANSWERED, Action.FAIL, Action.FAIL, Action.SKIP),
    (BOMB, Action.FAIL, Action.FAIL, Action.SKIP),
]
LEVELS = {
    Level.ACCOUNT: "top",
    Level.TEAM: "listed",
    Level.PIPELINE: "listed",
    Level.BOX: "child",
    Level.CONTACT: "child",
    Level.ORGANIZATION: "child",
}


@pytest.mark.parametrize(
    ("refusal", "top", "listed", "child"), TABLE, ids=[str(row[0])[:12] for row in TABLE]
)
def test_the_action_for_a_refusal_depends_on_the_level_of_its_request(
    refusal: Refused | Unanswered, top: Action, listed: Action, child: Action
) -> None:
    decided = {"top": top, "listed": listed, "child": child}
    assert {level: errors.action(refusal, level) for level in Level} == {
        level: decided[place] for level, place in LEVELS.items()
    }


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (Refused(401), Reason.NO_ACCESS),
        (Refused(403), Reason.NO_ACCESS),
        (Refused(404), Reason.GONE),
        (KEY_ISSUE, Reason.GONE),
        (Refused(410), Reason.RETIRED),
        (Refused(400, "some other issue"), Reason.OTHER),
        (Refused(302), Reason.OTHER),
        (UNANSWERED, Reason.UNANSWERED),
        (BOMB, Reason.UNANSWERED),
    ],
    ids=str,
)
def test_every_refusal_has_a_reason(refusal: Refused | Unanswered, reason: Reason) -> None:
    assert errors.reason_of(refusal) is reason


@pytest.mark.parametrize(
    ("refusal", "status", "said"),
    [
        (Refused(403, "no"), "config_error", ["list of teams", '403: "no"', NEW_KEY]),
        (
            Refused(410, "Gone"),
            "system_error",
            ["list of teams", "retired", '410: "Gone"', "update this connector"],
        ),
        (Refused(422, "odd"), "system_error", ["list of teams", '422: "odd"']),
        (Refused(404), "system_error", ["list of teams", "404"]),
        (Refused(302), "system_error", ["list of teams", "Redirects are not followed"]),
        (
            UNANSWERED,
            "transient_error",
            ["list of teams", "(500)", "Gave up after 9 attempts in 5 minutes", "again later"],
        ),
        (
            BOMB,
            "system_error",
            ["list of teams", "more than 256 MB of memory when unpacked", "report this"],
        ),
    ],
)
def test_an_error_names_the_request_quotes_streak_and_says_what_to_do(
    refusal: Refused | Unanswered, status: str, said: list[str]
) -> None:
    error = errors.failure(refusal, "the list of teams")

    assert error.failure == status
    for words in said:
        assert words.lower() in error.sentence.lower()


def test_the_error_for_a_wrong_key_says_where_to_create_a_new_one() -> None:
    error = errors.WrongKey(Refused(401, "invalid api key"))

    assert error.failure == "config_error"
    assert NEW_KEY in error.sentence
    assert "invalid api key" in error.sentence


def test_the_error_for_a_skipped_pipeline_names_it_and_the_setting_to_leave_it_out() -> None:
    error = errors.skipped("pipeline", {"Sales": Refused(401, "no access")})

    assert error.failure == "config_error"
    for words in ('"Sales"', 'the pipeline "', '"Pipelines"', "no access", "was read"):
        assert words in error.sentence


def test_several_skipped_pipelines_are_all_named() -> None:
    sentence = errors.skipped(
        "pipeline", {"Sales": Refused(401), "Hiring": Refused(401), "Odd": Refused(404)}
    ).sentence

    assert all(f'"{name}"' in sentence for name in ("Sales", "Hiring", "Odd"))
    assert "the pipelines " in sentence.lower()


def test_the_error_for_a_skipped_team_does_not_mention_the_pipelines_setting() -> None:
    assert '"Pipelines"' not in errors.skipped("team", {"Example": Refused(401)}).sentence


def test_the_error_for_a_skipped_list_keeps_the_type_of_its_failure() -> None:
    assert (
        errors.skipped("pipeline", {"Sales": StreakError("Came empty.", "transient_error")}).failure
        == "transient_error"
    )
    assert errors.skipped("pipeline", {"Sales": UNANSWERED}).failure == "transient_error"


def test_a_temporary_failure_does_not_hide_a_refusal_that_the_user_can_fix() -> None:
    error = errors.skipped("pipeline", {"Sales": UNANSWERED, "Hiring": Refused(401, "no access")})

    assert '"Sales"' in error.sentence
    assert '"Hiring"' in error.sentence
    assert "no access" in error.sentence, "what can be done about the second is not said"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": "invalid api key", "success": False}, "invalid api key"),
        ({"message": "Not found"}, "Not found"),
        ({"error": "two\n  lines"}, "two lines"),
        ({"error": ""}, ""),
        ({"error": None}, ""),
        ({"error": "a \0\x1b[31mred\u202e herring"}, "a [31mred herring"),
        ({}, ""),
        ([], ""),
        ("text", ""),
        (7, ""),
        (None, ""),
    ],
)
def test_streaks_words_are_taken_from_its_error_body(body: object, said: str) -> None:
    assert errors.words(json.dumps(body).encode()) == said


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b"{"])
def test_an_error_body_that_is_not_json_gives_no_words(body: bytes) -> None:
    assert errors.words(body) == ""


def test_streaks_words_are_cut_to_300_characters() -> None:
    assert len(errors.words(json.dumps({"error": "long " * 1000}).encode())) == 300


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("text/html", b"hello"), ("", b"  <!doctype html>"), ("text/html; charset=utf-8", b"")],
)
def test_the_error_says_that_a_web_page_came_instead_of_data(
    content_type: str, body: bytes
) -> None:
    assert "web page" in errors.unusable(200, content_type, body)


def test_only_the_start_of_a_body_is_searched_for_html() -> None:
    assert "web page" not in errors.unusable(200, "text/plain", b"no page" + b" " * 200 + b"<html>")


@pytest.mark.parametrize("secret", ["strk_0dd/key", "c3Rya18wZGQva2V5"])
def test_secrets_are_hidden_in_streaks_words(secret: str) -> None:
    body = json.dumps({"error": f"bad credential >{secret}<"}).encode()

    assert errors.words(body, lambda text: text.replace(secret, "****")) == "bad credential >****<"


def test_names_addresses_and_keys_are_hidden_in_streaks_words() -> None:
    said = "no box 'Acme & Sons' agxzfm1haWxmb29nYWVyLgsSDE9yZ2Fuaabcdef of zoe@private.example"

    assert errors.words(json.dumps({"error": said}).encode()) == "no box … …abcdef of …"


def count(refusals: Refusals, answered: int = 0, gone: int = 0, set_aside: int = 0) -> Refusals:
    for _ in range(answered):
        refusals.answered += 1
    for _ in range(gone):
        refusals.note(Refused(404), Action.GONE)
    for _ in range(set_aside):
        refusals.note(UNANSWERED, Action.SKIP)
    return refusals


@pytest.mark.parametrize("answered", [1, 12, 500])
def test_a_single_failed_box_does_not_end_the_stream(answered: int) -> None:
    refusals = count(Refusals("box comments"), answered=answered, set_aside=1)

    refusals.check(at_end=True)
    assert refusals.set_aside == 1


def test_boxes_that_were_deleted_meanwhile_are_counted_apart() -> None:
    refusals = count(Refusals("box comments"), answered=100, gone=5, set_aside=2)

    assert (refusals.gone, refusals.set_aside) == (5, 2)


def test_nineteen_refusals_without_a_success_do_not_end_the_stream() -> None:
    refusals = count(Refusals("box comments"), gone=19)

    refusals.check(at_end=False)
    assert refusals.gone == 19


@pytest.mark.parametrize("kind", ["gone", "set_aside"])
def test_twenty_refusals_without_a_success_end_the_stream(kind: str) -> None:
    with pytest.raises(StreakError, match=r"20 of 20 requests for box comments failed") as failed:
        count(Refusals("box comments"), **{kind: 20})

    assert failed.value.failure == ("system_error" if kind == "gone" else "transient_error")


def test_the_stream_ends_at_once_when_over_a_tenth_of_many_requests_fail() -> None:
    with pytest.raises(StreakError, match="too many to blame on single boxes"):
        count(Refusals("box comments"), answered=200, set_aside=23)


def test_the_stream_fails_at_its_end_when_over_a_tenth_of_few_requests_failed() -> None:
    refusals = count(Refusals("box comments"), answered=20, set_aside=4)

    with pytest.raises(StreakError, match="4 of 24"):
        refusals.check(at_end=True)


def test_exactly_a_tenth_of_requests_may_fail() -> None:
    count(Refusals("box comments"), answered=180, set_aside=20).check(at_end=True)


def test_boxes_that_an_earlier_sync_delivered_count_as_answered() -> None:
    refusals = Refusals("box comments")
    refusals.delivered = 100
    count(refusals, set_aside=5).check(at_end=True)


def test_the_stream_fails_at_its_end_when_its_only_request_failed() -> None:
    refusals = count(Refusals("box comments"), set_aside=1)

    with pytest.raises(StreakError, match="1 of 1"):
        refusals.check(at_end=True)


def test_a_stream_that_fails_because_of_a_huge_response_is_a_system_error() -> None:
    refusals = Refusals("box comments")
    refusals.note(BOMB, Action.SKIP)
    with pytest.raises(StreakError, match="more than 256 MB") as failed:
        refusals.check(at_end=True)

    assert failed.value.failure == "system_error"
