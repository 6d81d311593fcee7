"""One key's view of Streak during one sync: its teams, its pipelines and their boxes, each list asked for once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from source_streak import errors
from source_streak.box_lists import BoxList, BoxLists
from source_streak.client import KEY, SHORT_PATIENCE, Client, path_of
from source_streak.config import Config
from source_streak.errors import Action, Place, Refused, StreakError, Unanswered, WrongKey
from source_streak.paging import Numbered, Page, Pager, Params, Row, Whole, WrongShape, collect, cut, key_of, read_list

LOGGER = logging.getLogger("airbyte.account")
KEY_PROVED_FOR = 60.0  # seconds; and so long it is believed that Streak is gone
TOGETHER, WITNESSES = 100, 3  # see Account.fates


class Level(Enum):
    """What a stream's rows hang on."""

    ACCOUNT = "account"
    TEAM = "team"
    PIPELINE = "pipeline"
    BOX = "box"


class Fate(Enum):
    """Why there is no box."""

    DELETED = "Streak knows it no more"
    HIDDEN = "it is not this key's to see"
    UNKNOWN = "no answer, or none to be believed"


class Parent(NamedTuple):
    """One team, pipeline or box, and the key columns that every row read of it carries."""

    row: Row
    keys: Mapping[str, str] = {}
    pipeline: Row = {}  # of a box

    @property
    def name(self) -> str:
        """For sentences. Boxes are never named: what they are called is nobody's business in a log."""
        return str(self.row.get("name") or self.row.get("key", "")[-6:])


class Account:
    """Everything but the streams' own requests. The methods block; what they found, or why they failed, is kept."""

    def __init__(self, config: Config, hurried: bool = False) -> None:
        self.client = Client(config, hurried)
        self.lists = BoxLists(self.client, self._judge_list, self._list_pipelines)
        self.background = ThreadPoolExecutor(1, "streak-account")  # for whoever must not block while these methods do
        self.config = config
        self._wanted = config.pipelines
        self._wrong_key: WrongKey | None = None
        self._key_proved = float("-inf")
        self._doubt, self._outage = threading.Lock(), threading.Lock()
        self._gone: Unanswered | None = None
        self._gone_at = float("-inf")
        self._kept: dict[str, list[Any] | StreakError] = {}
        self.every_pipeline: list[Row] = []  # that the key sees, read or not; known once `pipelines` was asked for
        self.only: frozenset[str] | None = None  # the pipelines whose boxes are needed, where a sync does not need all
        self._fates: dict[str, Row | Fate] = {}

    def close(self) -> None:
        """Nothing more is asked: let go of threads and lists. The framework keeps every stream, and so its account, for ever."""
        self.lists.close()
        for pool in (self.client.pool, self.background):
            pool.shutdown(wait=False, cancel_futures=True)
        self._kept.clear()

    def parents(self, level: Level) -> Iterable[Parent]:
        """All there are of this level, in Streak's order."""
        if level is Level.TEAM:
            return [Parent(team, {"teamKey": team["key"]}) for team in self.teams()]
        if level is Level.PIPELINE:
            return [Parent(pipeline, {"pipelineKey": pipeline["key"]}) for pipeline in self.pipelines()]
        if level is Level.BOX:
            return boxes_of(self.good_lists())
        return [Parent({})]

    def me(self) -> Row:
        """The key's own user. https://streak.readme.io/reference/get-me"""
        try:
            return self.client.ask(lambda: self.client.get("v1/users/me", {}), _one)
        except Refused as refusal:
            if errors.kind(refusal) == "no access":
                self._wrong_key = WrongKey(refusal)
                raise self._wrong_key from refusal
            raise errors.failure(refusal, "the key's own user") from refusal

    def teams(self) -> list[Row]:
        """https://streak.readme.io/reference/get-my-teams"""
        list_teams = partial(self._top_list, "v2/users/me/teams", Numbered(100), "the list of teams", "teamKey")
        return self._once("teams", lambda: list_teams() or list_teams())

    def pipelines(self) -> list[Row]:
        """Those that the settings name, else all."""
        return self._once("pipelines", lambda: self._narrowed(self._list_pipelines()))

    def box_lists(self) -> list[BoxList]:
        """Every pipeline's boxes, or those of the pipelines that are needed."""
        return self._once("boxes", lambda: self.lists.read(one for one in self.pipelines() if self.only is None or one["key"] in self.only))

    def ask_again(self) -> list[BoxList]:
        """Ask once more for the box lists that were refused or failed; returns those that can be read now."""
        lists = self.box_lists()
        doubtful = [listed for listed in lists if listed.problem and not listed.asked_again]
        if not doubtful:
            return []
        self.lists.read_again(doubtful, [listed for listed in lists if not listed.problem])
        gone = self.vanished(listed.key for listed in doubtful if listed.problem)
        self._kept["boxes"] = [listed for listed in lists if listed.key not in gone]
        return [listed for listed in doubtful if not listed.problem]

    def good_lists(self) -> list[BoxList]:
        """The box lists that could be read."""
        return [listed for listed in self.box_lists() if not listed.problem]

    def bad_lists(self) -> list[BoxList]:
        """Those that could not."""
        return [listed for listed in self.box_lists() if listed.problem]

    @property
    def existing(self) -> set[str]:
        """The keys of the pipelines that the key sees, read or not."""
        return {pipeline["key"] for pipeline in self.every_pipeline}

    def witnesses(self, listed: BoxList) -> Iterator[str]:
        """Boxes known to live, those of the list first."""
        for one in sorted(self.good_lists(), key=lambda other: other is not listed):
            yield from self.lists.present(one)

    def parent_of(self, key: str, box: Row) -> Parent:
        """A box that came alone, with its pipeline."""
        pipeline_key = str(box.get("pipelineKey"))
        pipeline = next((one for one in self.every_pipeline if one["key"] == pipeline_key), {})
        return Parent({**box, "key": key}, {"boxKey": key, "pipelineKey": pipeline_key}, pipeline)

    def fates(self, box_keys: Iterable[str], witnesses: Iterable[str]) -> dict[str, Row | Fate]:
        """What became of boxes that are in no list: the box, or why there is none. Each is asked for once in a sync.

        https://streak.readme.io/reference/get-a-box: 404 for one that is deleted.  But something may answer 404 to everything; so
        each hundred is believed only if one of the `witnesses`, boxes that are listed, is found in the same way afterwards.
        And where a pipeline that is listed is itself a 404, the boxes that moved into it are, too: then none is believed.
        """
        keys = list(box_keys)
        asked = [key for key in keys if key not in self._fates]
        alive = list(islice(witnesses, WITNESSES))
        for start in range(0, len(asked), TOGETHER):
            part = asked[start : start + TOGETHER]
            found = dict(zip(part, self.client.pool.map(self._fate, part), strict=True))
            if self._hides_by_404:
                found = {key: Fate.UNKNOWN if fate is Fate.DELETED else fate for key, fate in found.items()}
            doubtful = not all(isinstance(fate, dict) for fate in found.values())
            if doubtful and self.client.down:
                self._see_an_answer()
            if doubtful and not any(isinstance(self._fate(witness), dict) for witness in alive):
                break
            self._fates |= found
        return {key: self._fates.get(key, Fate.UNKNOWN) for key in keys}

    @property
    def _hides_by_404(self) -> bool:
        problems = [listed.problem for listed in self.bad_lists()]
        return any(isinstance(problem, Refused) and errors.kind(problem) == "gone" for problem in problems)

    def _fate(self, box_key: str) -> Row | Fate:
        if not KEY.fullmatch(box_key):  # path_of would refuse it in the words that Streak has for a deleted one
            return Fate.UNKNOWN
        path = path_of("v1/boxes/{boxKey}", {"boxKey": box_key})
        try:
            box = self.client.ask(lambda: self.client.get(path, {}), _one, alone=True, patience=SHORT_PATIENCE)
        except Refused as refusal:
            return {"gone": Fate.DELETED, "no access": Fate.HIDDEN}.get(errors.kind(refusal), Fate.UNKNOWN)
        except Unanswered:
            return Fate.UNKNOWN
        return box if key_of(box, ("key", "boxKey")) == box_key else Fate.UNKNOWN

    def vanished(self, pipeline_keys: Iterable[str]) -> set[str]:
        """Those of the pipelines that Streak does not list any more: deleted since the sync began, so not refused."""
        asked = set(pipeline_keys)
        return asked and asked - {pipeline["key"] for pipeline in self._list_pipelines()}

    def judge(self, refusal: Refused | Unanswered, place: Place, what: str) -> Action:
        """What to do about a refusal. Raises StreakError where the stream (or the check) has to end."""
        decided = errors.action(refusal, place)
        if decided is Action.DOUBT_KEY:
            self._prove_key()
            decided = Action.FAIL if place is Place.TOP else Action.SKIP
        if decided is Action.SKIP and isinstance(refusal, Unanswered) and self.client.down:
            try:
                self._see_an_answer()
            except Unanswered:  # no matter of this one, and the next will fare no better
                decided = Action.FAIL
        if decided is Action.FAIL:
            raise errors.failure(refusal, what) from refusal
        return decided

    def _judge_list(self, refusal: Refused | Unanswered, what: str) -> Refused | StreakError:
        """The problem of one box list, all others being read; raises for what is no matter of one list."""
        if errors.kind(refusal) == "other":
            return errors.failure(refusal, what)
        if isinstance(refusal, Refused):
            self.judge(refusal, Place.LIST, what)
        elif self.client.down:
            self._see_an_answer()
        return refusal

    def _prove_key(self) -> None:
        """Streak says 401 both for a wrong key and for what a key may not see: users/me tells. At most once a minute."""
        with self._doubt:
            if self._wrong_key:
                raise self._wrong_key
            if time.monotonic() - self._key_proved > KEY_PROVED_FOR:
                self.me()
                self._key_proved = time.monotonic()

    def _see_an_answer(self) -> None:
        """Raises Unanswered if nothing at all is answered any more. One thread asks, at most once a minute, and the others believe it."""
        with self._outage:
            if not self.client.down:
                return
            if self._gone is None or time.monotonic() - self._gone_at > KEY_PROVED_FOR:
                try:
                    self.me()
                    return
                except Unanswered as unanswered:
                    self._gone, self._gone_at = unanswered, time.monotonic()
            raise self._gone

    def _once(self, what: str, read: Callable[[], list[Any]]) -> list[Any]:
        if self._wrong_key:
            raise self._wrong_key
        if what not in self._kept:
            try:
                self._kept[what] = read()
            except StreakError as error:
                self._kept[what] = error
        kept = self._kept[what]
        if isinstance(kept, StreakError):
            raise kept
        return kept

    def _list_pipelines(self) -> list[Row]:
        """https://streak.readme.io/reference/list-all-pipelines; v1 where this key has no v2, or v2 has none.

        That there is nothing is not believed at once, here and of teams: it would empty the destination.
        """
        what = "the list of pipelines"
        try:
            found = self._list("v2/pipelines", Numbered(100), "pipelineKey")
        except Refused as refusal:
            if errors.kind(refusal) == "no access":
                self.judge(refusal, Place.TOP, what)
            found = []
        except Unanswered as unanswered:
            raise errors.failure(unanswered, what) from unanswered
        return found or self._top_list("v1/pipelines", Whole(), what, "pipelineKey")

    def _narrowed(self, pipelines: list[Row]) -> list[Row]:
        self.every_pipeline = pipelines
        unknown = [wanted for wanted in self._wanted if not any(_is(pipeline, wanted) for pipeline in pipelines)]
        if unknown:
            there_are = _quoted(pipeline.get("name") for pipeline in pipelines) or "none"
            raise StreakError(
                f'The setting "Pipelines" names {_quoted(unknown)}, which this API key does not see. '
                f"The pipelines that it sees: {there_are}.",
                "config_error",
            )
        return [pipeline for pipeline in pipelines if not self._wanted or any(_is(pipeline, one) for one in self._wanted)]

    def _top_list(self, path: str, pager: Pager, what: str, also: str) -> list[Row]:
        try:
            return self._list(path, pager, also)
        except (Refused, Unanswered) as refusal:
            self.judge(refusal, Place.TOP, what)
            raise  # never reached: at the top every refusal ends the stream

    def _list(self, path: str, pager: Pager, also: str) -> list[Row]:
        """`also`: the other name under which rows have their key."""

        def identify(row: Row) -> str | None:
            return key_of(row, ("key", also))

        def page(params: Params) -> Page:
            return self.client.ask(lambda: self.client.get(path, params), cut)

        rows, whole = collect(read_list(pager, page, identify=identify))
        if not whole:
            raise StreakError(f"Streak says that {path} has more pages, but sends nothing new on them.", "transient_error")
        known = [{**row, "key": key} for row in rows if (key := identify(row))]
        if len(known) < len(rows):
            LOGGER.warning("%s of %s in %s left out, without a key.", len(rows) - len(known), len(rows), path)
        return known


def boxes_of(lists: Iterable[BoxList]) -> Iterator[Parent]:
    """The boxes of some lists, one after the other."""
    for listed in lists:
        for box in listed.boxes():
            yield Parent(box, {"boxKey": box["key"], "pipelineKey": listed.key}, listed.pipeline)


def _is(pipeline: Row, wanted: str) -> bool:
    return wanted in (pipeline["key"], str(pipeline.get("name", "")).strip())


def _quoted(names: Iterable[Any]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _one(body: Any) -> Row:
    """The object that an answer is; one without a key is something else."""
    if not isinstance(body, dict) or not key_of(body, ("key", "userKey", "boxKey")):
        raise WrongShape("an object with a key was expected")
    return body
