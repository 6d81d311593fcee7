"""The rules of the Airbyte platform, held against the complete output of a run of the command.

Nothing here runs the platform. The rules are read from its source code (airbyte-platform of
2026-08, after v2.0.0; airbyte-protocol 0.19), from the code of its destinations, and from what a
browser makes of a specification. Each is a function with its number: A for every command, S spec,
C check, D discover, R any read, F a whole read, I an incremental one, X one that fails, K one that
is killed, L one that is rate-limited.

    broken = report(Run("read", stdout, stderr, code, catalog=catalog, state=state))

Rules that take more than one run are functions to be called: `d1_two_discovers_find_the_same`,
`k1_nothing_is_lost_by_a_kill` and others.
"""

from replay.connection import d1_two_discovers_find_the_same, d11_a_release_changes_no_key
from replay.endings import k2_it_ends_when_nobody_reads, k3_a_sync_that_is_stopped_is_not_whole
from replay.everything import EVERY
from replay.form import settings
from replay.output import Message, Run, Status
from replay.pace import l1_waits_are_said
from replay.reads import merges
from replay.resumed import (
    Rows,
    f3_a_resumable_full_refresh_goes_on,
    i1_any_state_can_be_handed_back,
    i3_a_deletion_wins_over_what_it_deletes,
    k1_nothing_is_lost_by_a_kill,
    rows_of,
)
from replay.rules import ONE_RUN, SEVERAL_RUNS, Broken, report

__all__ = [
    "EVERY",
    "ONE_RUN",
    "SEVERAL_RUNS",
    "Broken",
    "Message",
    "Rows",
    "Run",
    "Status",
    "d1_two_discovers_find_the_same",
    "d11_a_release_changes_no_key",
    "f3_a_resumable_full_refresh_goes_on",
    "i1_any_state_can_be_handed_back",
    "i3_a_deletion_wins_over_what_it_deletes",
    "k1_nothing_is_lost_by_a_kill",
    "k2_it_ends_when_nobody_reads",
    "k3_a_sync_that_is_stopped_is_not_whole",
    "l1_waits_are_said",
    "merges",
    "report",
    "rows_of",
    "settings",
]
