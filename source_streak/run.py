"""How the command `source-streak` starts and stops.

It stops within seconds, whoever asks it to. The four commands also work on systems that lack
signals, poll or glibc's mallopt.
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
POSIX = os.name == "posix"  # elsewhere os.kill sends no signal but ends a process at once
M_ARENA_MAX = -8  # malloc.h
GRACE = 3.0  # seconds from a signal to the end, whatever is still under way
M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -3, -1  # malloc.h
LARGE = 32_768  # bytes; packing.py's compressor reserves more for each part that it keeps
UNUSED = 1_000_000  # bytes that the heap keeps at its end: the next rows need them again


def run(arguments: list[str] | None = None) -> NoReturn:
    """Run one command and end the process, without waiting for requests still under way."""
    _speak_utf_8()
    _give_memory_back()
    gc.disable()  # turned on again once everything is imported
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


# --- Setting up the process ----------------------------------------------------------------------


def _speak_utf_8() -> None:
    """Write UTF-8 with plain newlines, as the protocol requires, whatever the locale.

    A lone surrogate becomes its JSON escape.
    """
    for stream in (sys.stdout, sys.__stdout__, sys.stderr, sys.__stderr__):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")


def _give_memory_back() -> None:
    """Use one heap for all threads, and return large blocks (pages) to the system at once.

    glibc's defaults leave heaps full of holes: 360 MB at 100,000 boxes instead of 180.
    """
    # Without ctypes or glibc there are no such heaps.
    with suppress(ImportError, OSError, AttributeError, TypeError):
        import ctypes

        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, LARGE)
        mallopt(M_TRIM_THRESHOLD, UNUSED)


def _imported() -> Callable[[list[str]], None]:
    """Import the command with no more of the framework than it needs.

    If that fails, perhaps with another version of the framework, import all of it.
    """
    with suppress(ImportError):  # saves 0.4 s of parsing the models' source for docstrings
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
    """Make a package run its own code only when one of its names is used.

    Saves 0.4 s and 20 MB: the framework's package imports all of its modules, most of which are
    for other kinds of connectors. Its modules can be imported as usual.
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
    """Collect garbage rarely. Saves a third of the time, since rows are trees without cycles."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(100_000, 50, 100)


# --- How failures are logged ---------------------------------------------------------------------


def _presentable(record: logging.LogRecord) -> bool:
    """A log filter: a failure that has a sentence is logged as that, without a traceback.

    Drops urllib3's lines, because they contain addresses.
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
    """Make Ctrl-C and SIGTERM end the command. Only the main thread can do this in Python."""
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
    """The signal handler: unwind the main thread for cleanup, but end after GRACE in any case."""
    if code in SIGNALS:
        # _leave needs this; and a second signal now ends the process at once.
        signal.signal(SIGNALS[code], signal.SIG_DFL)
    timer = threading.Timer(GRACE, _leave, (code,))
    timer.daemon = True
    timer.start()
    _write_no_more()
    raise SystemExit(code)


def _write_no_more() -> None:
    """Drop all further output: nothing may follow a line that the signal cut in two."""
    framework = sys.modules.get("airbyte_cdk.logger")
    if framework and hasattr(framework, "PRINT_BUFFER"):
        framework.PRINT_BUFFER.buffer = io.StringIO()
    sys.__stdout__ = open(os.devnull, "w", encoding="utf-8")  # type: ignore[misc] # noqa: SIM115


def _watch_reader(gone: threading.Event) -> None:
    """End the command when the output's reader has gone, even while nothing is written.

    Without poll (Windows), the next write notices it.
    """
    with suppress(
        AttributeError, OSError, ValueError
    ):  # no poll, or a stdout without a file descriptor
        output, poll = sys.stdout.fileno(), select.poll()
        poll.register(output, 0)
        threading.Thread(target=_wait_for_reader, args=(poll, gone), daemon=True).start()


def _wait_for_reader(poll: select.poll, gone: threading.Event) -> None:
    """Block until the reader has gone, which a file or a terminal never reports.

    macOS answers POLLNVAL at once for what it cannot watch.
    """
    events = poll.poll()
    if not any(event & (select.POLLERR | select.POLLHUP) for _, event in events):
        return
    gone.set()
    if TERMINATED in SIGNALS and POSIX and callable(signal.getsignal(SIGNALS[TERMINATED])):
        os.kill(os.getpid(), SIGNALS[TERMINATED])
        threading.Event().wait(GRACE)
    os._exit(NOBODY_READS)


def _end(code: int) -> NoReturn:
    """Flush and leave without waiting for threads: a response may take a minute."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except (OSError, ValueError):
        code = code or NOBODY_READS
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End by the signal that was sent, as its sender expects (PyAirbyte does).

    Process 1 of a container ignores the signal, and exits with the status instead.
    """
    if code in SIGNALS and POSIX:
        os.kill(os.getpid(), SIGNALS[code])
    os._exit(code)
