"""Look-ups by key: which answers and refusals prove that a row is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from source_streak.api.errors import KEY_ISSUE, Level, Refused, Unanswered
from source_streak.api.look_up import MOST_QUESTIONS, Control, Gone, Questions

LIVES = Control(Level.BOX, "alive")
Answer = dict[str, Any] | Exception


class Streak:
    """Gives the answers of a key in turn, the last one again and again. Other keys exist."""

    def __init__(self, **answers: Answer | list[Answer]) -> None:
        self._answers = {
            key: list(said) if isinstance(said, list) else [said] for key, said in answers.items()
        }
        self.asked: list[str] = []
        self.looked = 0  # how often the connector first waited for some other answer
        self.down = False
        self.pool = SimpleNamespace(map=map)

    def get(self, path: str, params: Any, read: Callable[..., Any], **_: Any) -> dict[str, Any]:
        key = path.rpartition("/")[2]
        self.asked.append(key)
        said = self._answers.get(key, [{"key": key}])
        answer = said.pop(0) if len(said) > 1 else said[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def see_an_answer(self) -> None:
        self.looked += 1

    @property
    def questions(self) -> Questions:
        access = SimpleNamespace(client=self, see_an_answer=self.see_an_answer)
        return Questions(access)  # type: ignore[arg-type]


def refused(status: int) -> Refused:
    return Refused(status, f"{KEY_ISSUE}" if status == 400 else "")


def ask(
    streak: Streak, *keys: str, controls: Iterable[Control] = (LIVES,), hidden: bool = False
) -> dict[str, Any]:
    return streak.questions.ask(Level.BOX, keys, controls, hidden)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_two_equal_refusals_around_an_answered_control_mean_a_deletion(status: int) -> None:
    streak = Streak(box=refused(status))

    assert ask(streak, "box") == {"box": Gone.GONE}
    assert streak.asked == ["box", "alive", "box"]


def test_a_box_that_answers_is_requested_once_and_without_a_control() -> None:
    streak = Streak()

    assert ask(streak, "box") == {"box": {"key": "box"}}
    assert streak.asked == ["box"]


def test_a_box_that_answers_the_second_time_is_not_deleted() -> None:
    assert ask(Streak(box=[refused(404), {"key": "box"}]), "box") == {"box": {"key": "box"}}


def test_two_different_refusals_are_no_deletion() -> None:
    assert ask(Streak(box=[refused(401), refused(404)]), "box") == {"box": Gone.UNKNOWN}


def test_a_refusal_is_no_deletion_when_the_control_is_refused_too() -> None:
    streak = Streak(box=refused(404), alive=refused(404))

    assert ask(streak, "box") == {"box": Gone.UNKNOWN}
    assert streak.asked == ["box", "alive"]


def test_a_refusal_without_a_control_is_no_deletion() -> None:
    assert ask(Streak(box=refused(404)), "box", controls=()) == {"box": Gone.UNKNOWN}


def test_a_refused_control_is_followed_by_the_next_up_to_three() -> None:
    controls = [Control(Level.BOX, key) for key in ("one", "two", "three", "four")]
    streak = Streak(box=refused(404), one=refused(404), two=refused(404), three=refused(404))

    assert ask(streak, "box", controls=controls) == {"box": Gone.UNKNOWN}
    assert streak.asked == ["box", "one", "two", "three"]
    assert ask(Streak(box=refused(404), one=refused(404)), "box", controls=controls) == {
        "box": Gone.GONE
    }


def test_a_404_is_no_deletion_while_a_list_itself_answers_404() -> None:
    assert ask(Streak(box=refused(404)), "box", hidden=True) == {"box": Gone.UNKNOWN}
    assert ask(Streak(box=refused(403)), "box", hidden=True) == {"box": Gone.GONE}


def test_a_box_that_answers_with_another_key_was_merged_and_is_gone() -> None:
    assert ask(Streak(box={"key": "other"}), "box") == {"box": Gone.GONE}


@pytest.mark.parametrize("answer", [refused(422), Unanswered("Down.", 3, "a minute")])
def test_an_unexpected_refusal_or_a_missing_answer_is_no_deletion(answer: Exception) -> None:
    assert ask(Streak(box=answer), "box") == {"box": Gone.UNKNOWN}


def test_a_value_that_does_not_look_like_a_key_is_not_requested() -> None:
    streak = Streak()

    assert ask(streak, "../teams") == {"../teams": Gone.UNKNOWN}
    assert "../teams" not in streak.asked


def test_each_key_is_looked_up_only_once_in_a_sync() -> None:
    streak = Streak(box=refused(404))
    questions = streak.questions
    first = questions.ask(Level.BOX, ["box"], [LIVES], hidden=False)
    streak.asked.clear()

    assert questions.ask(Level.BOX, ["box"], [LIVES], hidden=False) == first
    assert streak.asked == []


def test_at_most_1000_questions_are_asked_in_a_sync() -> None:
    streak = Streak()
    keys = [f"box{number}" for number in range(MOST_QUESTIONS + 5)]
    questions = streak.questions
    answers = questions.ask(Level.BOX, keys, [LIVES], hidden=False)

    assert len(streak.asked) == MOST_QUESTIONS
    assert [key for key in keys if answers[key] is Gone.UNKNOWN] == keys[MOST_QUESTIONS:]
    assert questions.ask(Level.BOX, ["last"], [LIVES], hidden=False) == {"last": Gone.UNKNOWN}


def test_a_look_up_waits_for_another_answer_first_while_streak_seems_down() -> None:
    streak = Streak(box=Unanswered("Down.", 3, "a minute"))
    streak.down = True
    ask(streak, "box")

    assert streak.looked == 1
