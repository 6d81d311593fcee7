"""Start and stop of the command `source-streak`.

Spec, check, discover, read, and an end within seconds whoever asks for it.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import select
import signal
import sys
import threading
from typing import NoReturn

INTERRUPTED, TERMINATED, NOBODY_READS = 130, 143, 141
SIGNALS = {INTERRUPTED: signal.SIGINT, TERMINATED: signal.SIGTERM}
M_ARENA_MAX = -8  # malloc.h
GRACE = 3.0  # seconds from a signal to the end, whatever is still under way


def run(arguments: list[str] | None = None) -> NoReturn:
    """Runs one command and ends the process; requests still under way are not waited for."""
    _one_arena()
    _quick_import()
    reader_gone = threading.Event()
    code = 0
    try:
        signal.signal(
            signal.SIGTERM, lambda *_: _stop(NOBODY_READS if reader_gone.is_set() else TERMINATED)
        )
        if (
            signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
        ):  # a shell's background job ignores Ctrl-C on purpose
            signal.signal(signal.SIGINT, lambda *_: _stop(INTERRUPTED))
        threading.Thread(
            target=_watch_reader, args=(sys.stdout.fileno(), reader_gone), daemon=True
        ).start()
        from source_streak.command import launch

        for handler in logging.getLogger().handlers:
            handler.addFilter(_presentable)
        _collect_less()
        launch((sys.argv[1:] if arguments is None else arguments) or ["--help"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BrokenPipeError:
        code = NOBODY_READS
    except BaseException:
        code = 1
        sys.excepthook(*sys.exc_info())  # the framework's: it prints the closing TRACE message
    _end(code)


def _one_arena() -> None:
    """One heap for all threads.

    Glibc gives each its own, and pages that are parsed in them leave those full of holes (70 MB).
    """
    try:
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
    except (OSError, AttributeError):
        pass  # no glibc: no such arenas


def _quick_import() -> None:
    """Importing the framework reads the source of all its models for their docstrings, which nobody
    asks for: 0.6 s saved.
    """
    try:
        import attributes_doc

        attributes_doc.get_attributes_doc = lambda cls: {}
    except ImportError:
        pass


def _collect_less() -> None:
    """Rows are trees.

    What Python finds by looking for cycles in them, thousands of times, is nothing (a third of the
    time).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def _presentable(record: logging.LogRecord) -> bool:
    """A failure that has a sentence is logged by that, not by where in the code it was raised.

    Urllib3's lines name addresses.
    """
    from airbyte_cdk.utils import AirbyteTracedException

    failure = record.exc_info and record.exc_info[1]
    if isinstance(failure, AirbyteTracedException):
        sentence, said = str(failure.message), record.getMessage()
        record.msg, record.args, record.exc_info = (
            said if sentence in said else f"{said}: {sentence}",
            (),
            None,
        )
    return not record.name.startswith("urllib3")


def _stop(code: int) -> NoReturn:
    """In the main thread's signal handler.

    Unwind it, so that temporary files go; but end in any case.
    """
    if code in SIGNALS:
        signal.signal(
            SIGNALS[code], signal.SIG_DFL
        )  # for _leave; and who sends it twice has no time
    timer = threading.Timer(GRACE, _leave, (code,))
    timer.daemon = True
    timer.start()
    raise SystemExit(code)


def _watch_reader(output: int, gone: threading.Event) -> None:
    """End when whoever reads the output has gone, also while nothing is written.

    A file or a terminal never fires.
    """
    poll = select.poll()
    poll.register(output, 0)
    if poll.poll():
        gone.set()
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(GRACE)
        os._exit(NOBODY_READS)


def _end(code: int) -> NoReturn:
    """Flush and go.

    The threads of the pools, which may wait for an answer for a minute, would be waited for.
    """
    try:
        sys.stdout.flush()
    except (BrokenPipeError, ValueError):
        code = code or NOBODY_READS
    _leave(code)


def _leave(code: int) -> NoReturn:
    """By the signal that was sent, as its sender expects (PyAirbyte does).

    Process 1 of a container cannot be ended so.
    """
    if code in SIGNALS:
        os.kill(os.getpid(), SIGNALS[code])
    os._exit(code)
