"""Start and stop of the command `source-streak`.

It ends within seconds, whoever asks for it. What a system lacks (signals, poll, glibc's mallopt)
is left out: the four commands work without it.
"""

from __future__ import annotations

import gc
import io
import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec, module_from_spec
from typing import Any, NoReturn

INTERRUPTED, TERMINATED, NOBODY_READS = 130, 143, 141  # exit statuses, as a shell reports them
NAMES = {INTERRUPTED: "SIGINT", TERMINATED: "SIGTERM"}
SIGNALS = {code: getattr(signal, name) for code, name in NAMES.items() if hasattr(signal, name)}
POSIX = os.name == "posix"  # elsewhere os.kill knows no signals: it ends a process at once
M_ARENA_MAX = -8  # malloc.h
GRACE = 3.0  # seconds from a signal to the end, whatever is still under way
M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -3, -1  # malloc.h
LARGE = 32_768  # bytes: what packing.py keeps is a little larger
UNUSED = 1_000_000  # bytes at the heap's end that it keeps: the next rows need them again


def run(arguments: list[str] | None = None) -> NoReturn:
    """Runs one command and ends the process. Waits for no request that is still under way."""
    _speak_utf_8()
    _give_memory_back()
    gc.disable()  # until everything is imported
    reader_gone = threading.Event()
    code = 0
    try:
        _listen(reader_gone)
        _watch_reader(reader_gone)
        launch = _imported()
        for handler in logging.getLogger().handlers:
            handler.addFilter(_presentable)
        _collect_less()
        launch((sys.argv[1:] if arguments is None else arguments) or ["--help"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BrokenPipeError:
        code = NOBODY_READS
    except BaseException as error:
        code = 1
        # The framework's hook: it prints the closing TRACE message.
        sys.excepthook(type(error), error, error.__traceback__)
    _end(code)


# --- What the system is asked for ----------------------------------------------------------------


def _speak_utf_8() -> None:
    """The protocol is UTF-8 with plain line ends, whatever the locale says.

    A lone surrogate becomes its JSON escape.
    """
    for stream in (sys.stdout, sys.__stdout__, sys.stderr, sys.__stderr__):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")


def _give_memory_back() -> None:
    """One heap for all threads, and none for pages: what is large goes back to the system at once.

    glibc's own ways leave heaps full of holes: 180 MB instead of 360 at 100,000 boxes.
    """
    # No ctypes, or no glibc: no such heaps.
    with suppress(ImportError, OSError, AttributeError, TypeError):
        import ctypes

        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, LARGE)
        mallopt(M_TRIM_THRESHOLD, UNUSED)


def _imported() -> Callable[[list[str]], None]:
    """The command, with no more of the framework than it needs.

    Where that fails, with a framework of another version perhaps, with all of it.
    """
    with suppress(ImportError):  # saves 0.4 s: the models' source is parsed for their docstrings
        import attributes_doc

        attributes_doc.get_attributes_doc = lambda cls: {}
    before = set(sys.modules)
    try:
        _put_off("airbyte_cdk")
        from source_streak.command import launch
    except ImportError:
        for name in set(sys.modules) - before:
            del sys.modules[name]
        from source_streak.command import launch
    return launch


def _put_off(name: str) -> None:
    """Let a package run its own code only when it is asked for a name.

    Saves 0.4 s and 20 MB: the framework's imports all of its parts, and most are for connectors
    of other kinds. The parts themselves are found as ever.
    """
    spec = find_spec(name)
    if spec is None or spec.loader is None:
        return
    package, loader = module_from_spec(spec), spec.loader

    def of(attribute: str) -> Any:
        if part := sys.modules.get(f"{name}.{attribute}"):
            return part
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        del package.__dict__["__getattr__"]
        loader.exec_module(package)
        return getattr(package, attribute)

    package.__dict__["__getattr__"] = of
    sys.modules[name] = package


def _collect_less() -> None:
    """Saves a third of the time: rows are trees, in which looking for cycles finds nothing."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(100_000, 50, 100)


# --- How failures are said -----------------------------------------------------------------------


def _presentable(record: logging.LogRecord) -> bool:
    """Logs a failure that has a sentence by that, not by where it was raised.

    Drops urllib3's lines: they hold addresses.
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


# --- The end -------------------------------------------------------------------------------------


def _listen(reader_gone: threading.Event) -> None:
    """Ctrl-C and SIGTERM end the command. Python lets the main thread alone listen."""
    if threading.current_thread() is not threading.main_thread():
        return
    codes: dict[int, Callable[[], int]] = {
        TERMINATED: lambda: NOBODY_READS if reader_gone.is_set() else TERMINATED,
        INTERRUPTED: lambda: INTERRUPTED,
    }
    for name, number in SIGNALS.items():
        # A shell's background job ignores Ctrl-C on purpose.
        if name != INTERRUPTED or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_, code=codes[name]: _stop(code()))


def _stop(code: int) -> NoReturn:
    """In the signal handler: unwinds the main thread, so that files go; ends in any case."""
    if code in SIGNALS:
        # For _leave; and whoever sends the signal twice is in a hurry.
        signal.signal(SIGNALS[code], signal.SIG_DFL)
    timer = threading.Timer(GRACE, _leave, (code,))
    timer.daemon = True
    timer.start()
    _write_no_more()
    raise SystemExit(code)


def _write_no_more() -> None:
    """Nothing may follow a line that the signal cut in two: neither its own rest nor a log line."""
    framework = sys.modules.get("airbyte_cdk.logger")
    if framework and hasattr(framework, "PRINT_BUFFER"):
        framework.PRINT_BUFFER.buffer = io.StringIO()
    sys.__stdout__ = open(os.devnull, "w", encoding="utf-8")  # type: ignore[misc] # noqa: SIM115


def _watch_reader(gone: threading.Event) -> None:
    """Ends when whoever reads the output has gone, also while nothing is written.

    Without poll (Windows) the next line that is written notices it.
    """
    with suppress(
        AttributeError, OSError, ValueError
    ):  # no poll, or no stdout that the system knows
        output, poll = sys.stdout.fileno(), select.poll()
        poll.register(output, 0)
        threading.Thread(target=_wait_for_reader, args=(poll, gone), daemon=True).start()


def _wait_for_reader(poll: select.poll, gone: threading.Event) -> None:
    """A file or a terminal never fires. macOS answers POLLNVAL at once for what it cannot watch."""
    events = poll.poll()
    if not any(event & (select.POLLERR | select.POLLHUP) for _, event in events):
        return
    gone.set()
    if TERMINATED in SIGNALS and POSIX and callable(signal.getsignal(SIGNALS[TERMINATED])):
        os.kill(os.getpid(), SIGNALS[TERMINATED])
        threading.Event().wait(GRACE)
    os._exit(NOBODY_READS)


def _end(code: int) -> NoReturn:
    """Flushes and goes, and waits for no thread: one may need a minute for its answer."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except (OSError, ValueError):
        code = code or NOBODY_READS
    _leave(code)


def _leave(code: int) -> NoReturn:
    """By the signal that was sent, as its sender expects (PyAirbyte does).

    Process 1 of a container cannot be ended so.
    """
    if code in SIGNALS and POSIX:
        os.kill(os.getpid(), SIGNALS[code])
    os._exit(code)
