"""How long a request is retried: a decision after each failure, without a clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_streak.api.errors import Cause
from source_streak.api.patience import (
    LONGEST_TRY,
    LONGEST_WAIT,
    MOST_LIMITED,
    PATIENCE,
    SHORT_PATIENCE,
    Because,
    GiveUp,
    Patience,
    Retry,
    Try,
)

BROKEN = Try("The connection broke off.")
LIMITED = Try("Streak's limit was exceeded.", Cause.LIMITED)
HURRIED = Patience(SHORT_PATIENCE, hurried=True)
TOO_MANY = 1000  # tries: a request that makes this many never ends


def decide(patience: Patience, *failed: Try) -> Retry | GiveUp:
    """The decision after the last of these failures."""
    decision: Retry | GiveUp = Retry(0.0)
    for one in failed:
        patience, decision = patience.after(one, jitter=1.0)
    return decision


def tries_until_given_up(
    patience: Patience, failing: Callable[[int], Try] | Try, jitter: float = 1.0
) -> tuple[list[float], Because]:
    """The waits between the tries, and the reason to give up."""
    waits: list[float] = []
    while len(waits) < TOO_MANY:
        failed = failing if isinstance(failing, Try) else failing(len(waits))
        patience, decision = patience.after(failed, jitter)
        if isinstance(decision, GiveUp):
            return waits, decision.because
        waits.append(decision.seconds)
    raise AssertionError("it never gives up")


# --- Failing --------------------------------------------------------------------------------------


def test_waits_double_up_to_twenty_seconds() -> None:
    waits, _ = tries_until_given_up(Patience(), BROKEN)

    assert waits[:7] == [1, 2, 4, 8, 16, LONGEST_WAIT, LONGEST_WAIT]


def test_jitter_makes_waits_shorter_so_that_threads_do_not_come_back_together() -> None:
    waits, _ = tries_until_given_up(Patience(), BROKEN, jitter=0.5)

    assert waits[:5] == [0.5, 1, 2, 4, 8]


@pytest.mark.parametrize("jitter", [0.5, 0.75, 1.0])
def test_after_five_minutes_of_failing_a_request_is_given_up(jitter: float) -> None:
    waits, because = tries_until_given_up(Patience(), BROKEN, jitter)

    assert sum(waits) == pytest.approx(PATIENCE), "the last wait overshoots, or falls short"
    assert because is Because.FAILED_TOO_LONG
    assert len(waits) <= 45


def test_the_time_that_tries_take_uses_up_patience_too() -> None:
    waits, _ = tries_until_given_up(Patience(), replace(BROKEN, took=60))

    assert sum(waits) + 60 * (len(waits) + 1) == pytest.approx(PATIENCE, abs=60)


def test_one_slow_try_does_not_use_up_all_patience() -> None:
    patience, decision = Patience().after(replace(BROKEN, took=3600), jitter=1.0)

    assert isinstance(decision, Retry)
    assert patience.failing == LONGEST_TRY + 1


def test_without_patience_the_first_failure_ends_a_request() -> None:
    assert decide(Patience(0), BROKEN) == GiveUp(Because.FAILED_TOO_LONG)


def test_a_person_waits_15_seconds_for_a_failing_request() -> None:
    waits, _ = tries_until_given_up(HURRIED, BROKEN)

    assert sum(waits) == pytest.approx(15)


def test_a_request_is_given_up_after_15_seconds_once_streak_is_known_to_be_down() -> None:
    waits, because = tries_until_given_up(Patience(), replace(BROKEN, down=True))

    assert sum(waits) == pytest.approx(SHORT_PATIENCE)
    assert because is Because.FAILED_TOO_LONG


def test_an_outage_does_not_lengthen_a_shorter_patience() -> None:
    assert isinstance(decide(Patience(0), replace(BROKEN, down=True)), GiveUp)


def test_an_outage_that_another_request_finds_ends_this_one_sooner() -> None:
    def failing(tries: int) -> Try:
        return replace(BROKEN, down=tries >= 6)

    waits, _ = tries_until_given_up(Patience(), failing)

    assert len(waits) == 6


# --- Alone ----------------------------------------------------------------------------------------

ALONE = Patience(alone=True)


def test_a_request_that_fails_while_20_others_succeed_is_given_up_after_eight_tries() -> None:
    waits, because = tries_until_given_up(ALONE, replace(BROKEN, others_answered=20))

    assert len(waits) == 7
    assert because is Because.OTHERS_FARE_BETTER


def test_nineteen_answers_for_others_do_not_prove_that_a_request_fails_alone() -> None:
    waits, because = tries_until_given_up(ALONE, replace(BROKEN, others_answered=19))

    assert sum(waits) == pytest.approx(PATIENCE)
    assert because is Because.FAILED_TOO_LONG


def test_a_list_that_others_depend_on_is_retried_however_many_others_succeed() -> None:
    waits, _ = tries_until_given_up(Patience(), replace(BROKEN, others_answered=1000))

    assert sum(waits) == pytest.approx(PATIENCE)


# --- 429s -----------------------------------------------------------------------------------------


def test_a_429_is_retried_at_once_because_the_budget_makes_everybody_wait() -> None:
    patience, decision = Patience().after(replace(LIMITED, pause=3600, took=60), jitter=1.0)

    assert decision == Retry(0.0)
    assert patience.failing == 0, "429s do not count against patience"


def test_a_429_is_retried_even_without_patience() -> None:
    assert decide(Patience(0), LIMITED) == Retry(0.0)


def test_twelve_429s_in_a_row_end_a_request() -> None:
    waits, because = tries_until_given_up(Patience(), LIMITED)

    assert len(waits) == MOST_LIMITED - 1
    assert because is Because.LIMITED_TOO_OFTEN


def test_a_failure_of_another_kind_restarts_the_count_of_429s() -> None:
    row = [LIMITED] * (MOST_LIMITED - 1)

    assert isinstance(decide(Patience(), *row, BROKEN, *row), Retry)


def test_one_429_ends_a_request_once_another_has_met_nothing_but_429s() -> None:
    assert decide(Patience(), replace(LIMITED, closed=True)) == GiveUp(Because.LIMITED_TOO_OFTEN)


def test_a_person_waits_out_a_short_rate_limit() -> None:
    assert decide(HURRIED, replace(LIMITED, pause=6)) == Retry(6)


@pytest.mark.parametrize("pause", [20, 3600, 1e9])
def test_a_person_waits_15_seconds_for_a_long_rate_limit_before_one_more_try(
    pause: float,
) -> None:
    assert tries_until_given_up(HURRIED, replace(LIMITED, pause=pause)) == (
        [15],
        Because.FAILED_TOO_LONG,
    )


def test_a_person_waits_15_seconds_in_all_for_repeated_rate_limits() -> None:
    waits, _ = tries_until_given_up(HURRIED, replace(LIMITED, pause=6))

    assert waits == [6, 6, 3]


def test_a_person_waits_15_seconds_in_all_for_rate_limits_and_failures() -> None:
    failed = [replace(LIMITED, pause=6), BROKEN]

    waits, _ = tries_until_given_up(HURRIED, lambda tries: failed[tries % 2])

    assert sum(waits) == pytest.approx(15)


# --- Memory ---------------------------------------------------------------------------------------


def test_a_response_that_made_room_for_others_uses_up_no_patience() -> None:
    crowded = Try("There was no room.", Cause.CROWDED, took=60)
    patience, decision = Patience().after(crowded, jitter=1.0)

    assert decision == Retry(1)
    assert patience.failing == 0


# --- Whatever happens -----------------------------------------------------------------------------

TRIES = st.builds(
    Try,
    st.just("Something failed."),
    st.sampled_from([Cause.LIMITED, Cause.STREAK, Cause.OTHER]),
    took=st.floats(0, 100),
    pause=st.floats(0, 1e6),
    others_answered=st.integers(0, 50),
    down=st.booleans(),
    closed=st.booleans(),
)


@given(st.lists(TRIES, min_size=1), st.booleans(), st.booleans(), st.floats(0.5, 1.0))
def test_waits_are_never_negative_and_never_longer_than_the_patience(
    failures: list[Try], hurried: bool, alone: bool, jitter: float
) -> None:
    patience = Patience(SHORT_PATIENCE if hurried else PATIENCE, hurried, alone)
    slept = 0.0
    for failed in failures:
        patience, decision = patience.after(failed, jitter)
        if isinstance(decision, GiveUp):
            break
        assert decision.seconds >= 0
        slept += decision.seconds
    assert slept <= patience.limit + 1e-6
    assert patience.tries <= len(failures)
