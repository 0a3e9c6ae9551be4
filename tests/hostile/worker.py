"""A process of its own that reads hostile files: it may be killed, and hold no more than it may.

Whatever a reader does is written to the other end in a line of JSON. What Python tells an audit
hook of commands, sockets and files to be written outside of the folder is told, too.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
MEMORY = 2**30  # bytes that reading one file may take, beside those of the program
SECONDS = 20  # of computing, for one file
CLEAR = (ValueError, OSError, ImportError)

_FORBIDDEN = (
    *("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.fork"),
    *("os.forkpty", "pty.spawn", "socket.connect", "socket.bind", "webbrowser.open"),
)
_CHANGING = (
    *("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.symlink", "os.link", "os.chmod"),
    *("os.truncate", "shutil.rmtree", "shutil.copyfile", "shutil.move", "shutil.unpack_archive"),
)


class Outcome(NamedTuple):
    """What became of reading a file.

    Attributes:
        kind: ``read``, ``refused`` (a clear error), ``wrong`` (any other error) or ``died``.
        words: The error, in words.
        events: What it did that no reader may do.
        memory: Bytes that the process has held at most.
    """

    kind: str
    words: str = ""
    events: tuple[str, ...] = ()
    memory: int = 0


class Worker:
    """Asks the process; starts another one when it has died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def read(self, door: str, path: Path) -> Outcome:
        process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps([door, str(path)]) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if answer:
            kind, words, events, memory = json.loads(answer)
            return Outcome(kind, words, tuple(events), memory)
        code = process.wait()
        self.close()
        name = signal.Signals(-code).name if code < 0 else f"exit {code}"
        late = f", which is more than {SECONDS} s" if name == "SIGPROF" else ""
        return Outcome("died", f"{name}{late}")

    def close(self) -> None:
        if self._process is not None:
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    stream.close()
            self._process.wait()
            self._process = None

    def _start(self) -> "subprocess.Popen[str]":
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from tests.hostile.worker import main; main()"],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self._process


def main() -> None:
    """Read the files that the standard input names, one a line."""
    from tests.hostile.doors import DOORS

    answers = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # what a library prints is no answer, and some print much
    os.dup2(nowhere, 2)
    warm: set[str] = set()
    warnings.simplefilter("ignore")
    events: list[str] = []
    folder = ""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if not folder:
            return
        writes = (
            event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        )
        if (
            event in _FORBIDDEN
            or (writes or event in _CHANGING)
            and not _inside(arguments[0], folder)
        ):
            events.append(f"{event} {arguments!r}"[:200])

    sys.addaudithook(hook)
    hardest = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        door, path = json.loads(line)
        if door not in warm:
            resource.setrlimit(resource.RLIMIT_AS, (hardest, hardest))
            DOORS[door].warm()
            warm.add(door)
            resource.setrlimit(resource.RLIMIT_AS, (_held() + MEMORY, hardest))
        events.clear()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        folder = str(Path(path).parent)
        kind, words = _outcome(DOORS[door], Path(path))
        folder = ""
        signal.setitimer(signal.ITIMER_PROF, 0)
        most = _most()
        answers.write(json.dumps([kind, words, events, most]) + "\n")
        answers.flush()


def _outcome(door: Any, path: Path) -> tuple[str, str]:
    try:
        door.read(path)
    except CLEAR as error:
        words = f"{type(error).__name__}: {error}"
        # A message without the file's name says nothing to whoever has given many of them.
        clear = path.name in str(error) or (not door.named and str(error))
        return ("refused" if clear else "wrong"), words[:2000]
    except BaseException as error:
        return "wrong", f"{type(error).__name__}: {error}"[:2000]
    return "read", ""


def _inside(path: Any, folder: str) -> bool:
    return isinstance(path, str | os.PathLike) and (
        os.path.abspath(path).startswith(folder) or os.fspath(path) == os.devnull
    )


def _most() -> int:
    """Give the most bytes that the process has held; what the one that started it held is none."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def _held() -> int:
    """Give the bytes of address space that the process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()
