"""The guards that tools/mutations.py takes out, one at a time.

Each guard is a line or two whose removal breaks nothing on a good day. `text` occurs exactly once
in `file` (unit_tests/test_mutations.py), and `test` fails once `replacement` takes its place.
"""

from __future__ import annotations

from typing import NamedTuple


class Guard(NamedTuple):
    """One guard: its name in plain English, and the test that holds it."""

    name: str
    file: str
    text: str
    replacement: str
    test: str


def _guard(name: str, place: str, text: str, replacement: str, test: str) -> Guard:
    file, _, test_name = test.partition("::")
    folder = "unit_tests" if not file.startswith("integration_tests/") else ""
    path = f"{folder}/{file}" if folder else file
    return Guard(name, f"source_streak/{place}", text, replacement, f"{path}::{test_name}")


PAGING = (
    _guard(
        "a page with nothing new ends a list",
        "api/paging.py",
        "if not tally.new:  # an empty page",
        "if not page.rows:  # an empty page",
        "test_paging.py::test_a_page_with_nothing_new_ends_a_numbered_list",
    ),
    _guard(
        "a short page alone ends no list",
        "api/paging.py",
        "page.more is None and tally.enough and len(page.rows) < tally.full",
        "page.more is None and len(page.rows) < tally.full",
        "test_paging.py::test_a_short_page_alone_does_not_end_a_list",
    ),
    _guard(
        "the count alone ends no list",
        "api/paging.py",
        "page.more is None and tally.enough and len(page.rows) < tally.full",
        "page.more is None and tally.enough",
        "test_paging.py::test_the_count_alone_does_not_end_a_list_because_it_may_be_old",
    ),
    _guard(
        "a cursor that comes back ends a list, and as one that is not whole",
        "api/paging.py",
        "            return False  # a cursor that comes back",
        "            return True  # a cursor that comes back",
        "test_paging.py::test_a_repeated_cursor_ends_the_list_as_incomplete",
    ),
    _guard(
        "a row that comes twice is handed on once",
        "api/paging.py",
        "        elif key not in seen:",
        "        else:",
        "test_paging.py::test_a_row_that_comes_twice_is_passed_on_once",
    ),
    _guard(
        "what is no list of objects is not an empty list",
        "api/paging.py",
        '        raise WrongShape("a list of objects was expected")',
        "        rows = []",
        "test_paging.py::test_a_body_that_is_not_a_list_is_not_taken_for_an_empty_list",
    ),
    _guard(
        "a list that says more and sends nothing new is not whole",
        "api/paging.py",
        "            return not page.more  #",
        "            return True  #",
        "test_paging.py::test_a_list_that_says_more_and_sends_nothing_new_is_incomplete",
    ),
)

STATE = (
    _guard(
        "the ledger holds no box before all that share its entry were delivered",
        "incremental/ledger.py",
        "return (pending <= 0 for pending in self._pending)",
        "return (pending <= 1 for pending in self._pending)",
        "test_ledger.py::test_boxes_that_share_an_entry_are_pending_until_all_of_them"
        "_were_delivered",
    ),
    _guard(
        "what is forgotten of a ledger is read again",
        "incremental/ledger.py",
        "                self._pending[place] = now.sizes[place]\n",
        "",
        "test_ledger.py::test_a_box_that_is_forgotten_after_its_delivery_is_read_again",
    ),
    _guard(
        "a fingerprint changes with its recheck slot",
        "incremental/fingerprint.py",
        "orjson.dumps([key, slot, visible], option=SORTED)",
        "orjson.dumps([key, visible], option=SORTED)",
        "test_state.py::test_each_box_is_read_again_within_recheck_days_and_no_box_twice",
    ),
    _guard(
        "no other pipeline's ledger claims a box that has moved",
        "incremental/state.py",
        "        self._release_elsewhere(scope, ledger)\n",
        "",
        "test_state.py::test_a_pipeline_that_was_not_listed_does_not_claim_a_box_that_has_moved",
    ),
    _guard(
        "readAt grows from sync to sync, whatever the clock does",
        "incremental/state.py",
        'max(now, min(read.time("readAt") or 0, LAST_MS - 1) + 1)',
        "now",
        "test_state.py::test_read_at_grows_from_sync_to_sync_whatever_the_clock_does",
    ),
    _guard(
        "keys that were given up stay given up",
        "incremental/state.py",
        "        if read.keys_given_up:\n            self.give_up_keys()\n",
        "",
        "test_state.py::test_keys_that_were_given_up_stay_given_up",
    ),
    _guard(
        "keys take no more room than their share",
        "incremental/state.py",
        "return sum(part.size() for part in remembered) <= self.share.key_bytes",
        "return True",
        "test_state.py::test_keys_fit_while_they_take_no_more_than_the_share",
    ),
    _guard(
        "keys of rows go out before the rows",
        "reading/entities.py",
        "        yield self.heart.checkpoint()\n        for answer in self._gathered:",
        "        for answer in self._gathered:",
        "integration_tests/test_order_of_messages.py::test_the_keys_of_comments_are_in_a_state"
        "_before_the_comments_come",
    ),
    _guard(
        "the state takes back what differs before the first record",
        "reading/entities.py",
        "self.deletions.give_up()\n        yield self.heart.checkpoint()\n\n    def _visible",
        "self.deletions.give_up()\n\n    def _visible",
        "integration_tests/test_order_of_messages.py::test_a_state_without_the_changed_box"
        "_comes_before_its_record",
    ),
)

EVIDENCE = (
    _guard(
        "a first sight is believed after an hour",
        "incremental/sights.py",
        "return self._now - sight.since >= HOUR_MS",
        "return self._now - sight.since >= 0",
        "test_sights.py::test_a_first_sight_is_believed_when_it_is_seen_again_after_an_hour",
    ),
    _guard(
        "a first sight with another value starts anew",
        "incremental/sights.py",
        "sight is None or sight.value != value or sight.since > self._now",
        "sight is None or sight.since > self._now",
        "test_sights.py::test_a_sight_with_another_value_starts_the_hour_anew",
    ),
    _guard(
        "a first sight in the future counts as now",
        "incremental/sights.py",
        "sight is None or sight.value != value or sight.since > self._now",
        "sight is None or sight.value != value",
        "test_sights.py::test_a_first_sight_in_the_future_counts_as_now",
    ),
    _guard(
        "a list that ended early says nothing of what it does not hold",
        "reading/evidence.py",
        "    if not listing.ended:\n        return False\n",
        "",
        "test_evidence.py::test_a_list_that_ended_early_stays_incomplete_even_an_hour_later",
    ),
    _guard(
        "a list that is short of its count says nothing for an hour",
        "reading/evidence.py",
        'return sights.seen_before(f"count:{listing.key}", listing.shortfall)',
        "return True",
        "test_evidence.py::test_a_list_that_is_short_by_the_same_number_an_hour_later_is_complete",
    ),
    _guard(
        "an empty list without a count says nothing for an hour",
        "reading/evidence.py",
        'return bool(listing.keys) or sights.seen_before(f"empty:{listing.key}")',
        "return True",
        "test_evidence.py::test_an_uncounted_list_that_is_still_empty_an_hour_later_is_complete",
    ),
    _guard(
        "more missing at once than people delete is doubtful",
        "reading/evidence.py",
        "return missing > max(MANY, MANY_SHARE * total)",
        "return False",
        "test_evidence.py::test_more_missing_rows_than_people_delete_at_once_are_many",
    ),
    _guard(
        "what Streak gave no answer for is not deleted",
        "reading/evidence.py",
        "return Verdict.DELETED if answer is Gone.GONE else Verdict.UNKNOWN",
        "return Verdict.DELETED",
        "test_evidence.py::test_an_answer_by_key_tells_deleted_moved_unlisted_and_unknown_rows"
        "_apart",
    ),
)

DELETIONS = (
    _guard(
        "one refusal is no deletion",
        "api/look_up.py",
        "    if isinstance(second, dict):\n        return second\n",
        "",
        "test_look_up.py::test_a_box_that_answers_the_second_time_is_not_deleted",
    ),
    _guard(
        "two different refusals are no deletion",
        "api/look_up.py",
        "second is None or second is not first or",
        "second is None or",
        "test_look_up.py::test_two_different_refusals_are_no_deletion",
    ),
    _guard(
        "refusals without an answer for a control are no deletion",
        "api/look_up.py",
        "if any(isinstance(self._one(*control), dict) for control in controls):",
        "if controls:",
        "test_look_up.py::test_a_refusal_is_no_deletion_when_the_control_is_refused_too",
    ),
    _guard(
        "a 404 says nothing where a list is itself a 404",
        "api/look_up.py",
        " or (second is Reason.GONE and hidden):",
        ":",
        "test_look_up.py::test_a_404_is_no_deletion_while_a_list_itself_answers_404",
    ),
    _guard(
        "at most 1,000 questions a sync",
        "api/look_up.py",
        "fresh[: max(0, MOST_QUESTIONS - self._asked)]",
        "fresh",
        "test_look_up.py::test_at_most_1000_questions_are_asked_in_a_sync",
    ),
    _guard(
        "a child list that is short of its counter deletes nothing for an hour",
        "reading/deletions.py",
        "if gone and (doubtful or answer.ended_early or not self.concludes):",
        "if gone and (answer.ended_early or not self.concludes):",
        "test_deletion_decisions.py::test_a_list_that_is_short_of_its_counter_deletes_nothing",
    ),
    _guard(
        "a child list that ended early deletes nothing",
        "reading/deletions.py",
        "if gone and (doubtful or answer.ended_early or not self.concludes):",
        "if gone and (doubtful or not self.concludes):",
        "test_deletion_decisions.py::test_a_list_that_ended_early_deletes_nothing",
    ),
    _guard(
        "another user's key deletes nothing in its first sync",
        "reading/deletions.py",
        "            self.concludes = False\n            self.state.sights.clear()\n",
        "            self.state.sights.clear()\n",
        "test_deletion_decisions.py::test_the_api_key_of_another_user_deletes_nothing",
    ),
    _guard(
        "nothing is told where the schema has no column for deletions",
        "reading/deletions.py",
        "declared = mode.columns is None or DELETED_AT in mode.columns",
        "declared = True",
        "test_deletion_decisions.py::test_no_deletion_is_reported_when_the_schema_has_no"
        "_column_for_deletions",
    ),
    _guard(
        "the state says what is to be read again before a deletion is told",
        "reading/missing.py",
        "                state.forget(scope, keys)\n            yield self.heart.checkpoint()\n",
        "                state.forget(scope, keys)\n",
        "test_missing.py::test_a_state_is_emitted_before_a_deletion_is_reported",
    ),
    _guard(
        "many that are missing at once are not asked for, nor told",
        "reading/missing.py",
        "        if self.state.sights.seen_before(what):\n",
        "        if True:\n",
        "test_missing.py::test_many_boxes_missing_at_once_are_reported_as_deleted_only_an_hour"
        "_later",
    ),
    _guard(
        "a pipeline that is not listed is gone only once it was missing for an hour",
        "reading/missing.py",
        'if self.state.sights.seen_before(f"gone:{scope}") and self.deletions.concludes:',
        "if self.deletions.concludes:",
        "test_missing.py::test_an_unlisted_pipeline_counts_as_gone_only_an_hour_later",
    ),
    _guard(
        "a list that cannot be believed leads to no question",
        "reading/missing.py",
        "self.state.sights.unsee(what)\n            return listing.key in self._complete",
        "self.state.sights.unsee(what)\n            return True",
        "test_missing.py::test_a_list_that_is_short_of_its_count_leads_to_no_look_up_and_no"
        "_deletion",
    ),
)

BUDGET = (
    _guard(
        "the pace is a little slower than the rate",
        "api/budget.py",
        "WIDER = 1.02",
        "WIDER = 1.0",
        "test_budget.py::test_the_pace_is_two_percent_slower_than_the_rate"
        "_so_that_jitter_breaks_no_limit",
    ),
    _guard(
        "a 429 stops everybody",
        "api/budget.py",
        "self._next if through_pause else max(self._next, self._resume)",
        "self._next",
        "test_budget.py::test_a_retry_after_in_seconds_is_waited_for",
    ),
    _guard(
        "a request that was held up takes the place of the next",
        "api/budget.py",
        "self._next = max(self._next, earliest)",
        "self._next = self._next",
        "test_budget.py::test_a_request_that_is_sent_later_than_its_slot_pushes_the_next_one_back",
    ),
    _guard(
        "a shorter pause does not cut a longer one",
        "api/budget.py",
        "        if until > self._resume:\n",
        "        if True:\n",
        "test_budget.py::test_a_shorter_pause_does_not_cut_a_longer_one",
    ),
)

PATIENCE = (
    _guard(
        "after five minutes of failing a request is given up",
        "api/patience.py",
        "if now.failing >= enough:",
        "if now.failing >= 2 * enough:",
        "test_patience.py::test_after_five_minutes_of_failing_a_request_is_given_up",
    ),
    _guard(
        "twelve 429s in a row end a request",
        "api/patience.py",
        "if now.limited >= (1 if failed.closed else MOST_LIMITED):",
        "if failed.closed:",
        "test_patience.py::test_twelve_429s_in_a_row_end_a_request",
    ),
    _guard(
        "a request fails alone only if many others are answered",
        "api/patience.py",
        "others = failed.others_answered >= ALONE_ANSWERS",
        "others = True",
        "test_patience.py::test_nineteen_answers_for_others_do_not_prove_that_a_request_fails"
        "_alone",
    ),
    _guard(
        "an outage that another request found ends this one sooner",
        "api/patience.py",
        "min(self.limit, SHORT_PATIENCE) if failed.down else self.limit",
        "self.limit",
        "test_patience.py::test_a_request_is_given_up_after_15_seconds_once_streak_is_known_to"
        "_be_down",
    ),
    _guard(
        "many refusals of one endpoint are no single boxes",
        "api/errors.py",
        "return bool(self._refused) and not self.answered and told",
        "return False",
        "test_errors.py::test_twenty_refusals_without_a_success_end_the_stream",
    ),
)

GUARDS = (*PAGING, *STATE, *EVIDENCE, *DELETIONS, *BUDGET, *PATIENCE)
