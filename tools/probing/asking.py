"""The probe's one road to Streak: the connector's client, with its pace, and a count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from probing.names import Known
from probing.points import Answer, Point, Question, Section
from source_streak.api import transport
from source_streak.api.client import Client, json_of, path_of
from source_streak.api.clock import Clock
from source_streak.api.errors import Refused, RetryableFailure, StreakError
from source_streak.api.transport import Response
from source_streak.config import Config

T = TypeVar("T")

MOST_REQUESTS = 200
REQUESTS_PER_SECOND = 5
UNANSWERED_IN_A_ROW = 5  # questions; then nothing more is asked
LIMITED_IN_A_ROW = 4  # 429s, which are waited for; with the next one the probe ends
MEDIA = (
    *("application/json", "text/html", "text/markdown", "text/plain", "application/xml"),
    *("application/octet-stream", "text/csv"),
)
USED_UP = f"not asked: the probe's {MOST_REQUESTS} requests are used up"
TRIED_AGAIN = (408, 429)


class NothingAnswered(StreakError):
    """Nothing more needs to be asked."""


class ProbeClient(Client):
    """The connector's client, but refusals are answers, and there is a last request."""

    def __init__(self, config: Config, clock: Clock, most: int = MOST_REQUESTS) -> None:
        super().__init__(config, clock)
        self.most, self.sent = most, 0
        self.last: int | None = None  # status of the last answer of any kind
        self._limited = 0  # 429s in a row
        self.statuses: Counter[int] = Counter()
        self.headers: Counter[str] = Counter()  # names, lower case
        self.headers_of: dict[int, set[str]] = {}  # the same by status

    def ask_once(self, slot: float, path: str, params: Any, read: Callable[[Response], T]) -> T:
        if self.sent >= self.most:
            raise Refused(0, USED_UP)
        self.sent += 1
        return super().ask_once(slot, path, params, read)

    def post(self, path: str, content: Any, read: Callable[[Response], T]) -> T:
        """A POST that changes nothing, once. Raises as `get` does."""
        slot = self.budget.acquire()
        if self.sent >= self.most:
            raise Refused(0, USED_UP)
        self.sent += 1
        try:
            response = self.session.post(
                self.url + path, json=content, timeout=transport.TIMEOUT, allow_redirects=False
            )
        except OSError as problem:
            raise transport.trouble(problem) from problem
        self.budget.note_answer(slot, response.status_code, response.headers.get("Retry-After"))
        self.judge(response.status_code, response)
        return read(response)

    def judge(self, status: int, response: Response) -> None:
        names = {title.lower() for title in response.headers}
        self.last = status
        self.statuses[status] += 1
        self.headers.update(names)
        self.headers_of.setdefault(status, set()).update(names)
        self._limited = self._limited + 1 if status == 429 else 0
        if self._limited > LIMITED_IN_A_ROW:
            self._limited = 0
        elif status in TRIED_AGAIN or status >= 500:
            super().judge(status, response)


class Asking:
    """Asks what points want to know, and keeps what came, for the report."""

    def __init__(self, client: ProbeClient, known: Known, show: Callable[[str, int], None]) -> None:
        self._client, self._known = client, known
        self._show = show
        self._unanswered = 0  # questions in a row

    def run(self, title: str, point: Point) -> tuple[Section, list[Answer]]:
        """One point, to its end. An answer that it cannot make anything of ends nothing else."""
        answers: list[Answer] = []
        try:
            question = next(point)
            while True:
                self._show(title, self._client.sent)
                answers.append(self.ask(question))
                question = point.send(answers[-1])
        except StopIteration as end:
            return end.value, answers
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as problem:
            return Section(title, (_failed(problem),)), answers

    def ask(self, question: Question) -> Answer:
        """One question. Raises StreakError where no other could be answered either."""
        try:
            path = path_of(question.template, question.keys)
        except Refused:
            return Answer(question, problem="not asked: what should be a key is none")
        if self._unanswered >= UNANSWERED_IN_A_ROW:
            raise NothingAnswered("Streak has stopped answering: nothing more was asked.")
        self._client.last = None
        try:
            answer = self._get(question, path)
        except Refused:
            return Answer(question, problem=USED_UP)
        except (StreakError, RetryableFailure) as problem:
            if getattr(problem, "failure", "") == "config_error":
                raise
            self._unanswered += self._client.last is None
            return Answer(question, self._client.last, problem=_first(problem.sentence))
        if answer.status == 429:
            raise NothingAnswered("Streak refuses one request after the other with 429.")
        self._unanswered = 0
        self._known.note(answer.body)
        return answer

    def _get(self, question: Question, path: str) -> Answer:
        params = {**question.params, **question.hidden}
        read = partial(answer_of, question)
        if question.reads is not None:
            return self._client.post(path, question.reads, read)
        return self._client.get(path, params, read, patience=question.patience)


def answer_of(question: Question, response: Response) -> Answer:
    """The facts of a response, whatever it is. Pure."""
    media = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    try:
        body, is_json = json_of(response), True
    except RetryableFailure:
        body, is_json = response.content.decode("utf-8", errors="replace"), False
    return Answer(
        question,
        response.status_code,
        tuple(sorted(title.lower() for title in response.headers)),
        media if media in MEDIA else "another media type" if media else "no media type",
        body,
        is_json,
        len(response.content),
        response.elapsed.total_seconds() * 1_000,
    )


def _first(sentence: str) -> str:
    """The first sentence: what happened, without what to do about it."""
    return sentence.partition(". ")[0].rstrip(".")


def _failed(problem: Exception) -> str:
    """Where the probe itself failed; no message, which may quote the account."""
    frame = problem.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    line = frame.tb_lineno if frame else 0
    file = frame.tb_frame.f_code.co_filename.rsplit("/", 1)[-1] if frame else "?"
    where = f"{type(problem).__name__} in {file}, line {line}"
    return f"The probe itself failed here ({where}): please say so."
