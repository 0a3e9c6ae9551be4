"""Many processes that work off numbers, and may be killed at any moment.

A worker that is killed is replaced, and its number is worked on again. Workers end with the process
that started them, whatever ended it: they notice that nobody is there to talk to.
"""

from __future__ import annotations

__all__ = ["Progress", "run_crew"]

import signal
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import NamedTuple

Work = Callable[[int, Callable[[int], None]], None]

_TRIES = 2  # a number that kills whoever works on it must not do so for ever
_PATIENCE = 1.0  # seconds until the caller may look after something else
_GONE = (EOFError, BrokenPipeError, ConnectionResetError)


class Progress(NamedTuple):
    """Says how far a worker is.

    Attributes:
        number: What it works on.
        count: How much of it was done since it last said so.
        done: Whether that was all.
    """

    number: int
    count: int
    done: bool


def run_crew(
    make: Callable[[], Work], numbers: Iterable[int], workers: int
) -> Iterator[Progress | None]:
    """Works off numbers in processes of their own, and gives their progress as it comes.

    Args:
        make: Called once in each process; gives what works on a number, and is told there how to
            say how much of it is done. It is sent to the processes: a function or object of a
            module.
        numbers: To be worked on, in this order.
        workers: How many processes.

    Yields:
        Progress, or None where there was none for a second.

    Raises:
        RuntimeError: If two workers in turn were killed while working on the same number.
        Exception: Whatever a worker raised.
    """
    if workers < 1:
        raise ValueError(f"expected 1 worker or more, found {workers}")
    waiting = deque(numbers)
    crew: dict[Connection, tuple[BaseProcess, int]] = {}
    lost: Counter[int] = Counter()
    try:
        while waiting or crew:
            while waiting and len(crew) < workers:
                pipe, process = _start(make)
                crew[pipe] = process, waiting.popleft()
                with suppress(*_GONE):  # which is seen when it is listened to
                    pipe.send(crew[pipe][1])
            talking = wait(list(crew), timeout=_PATIENCE)
            if not talking:
                yield None
            for pipe in talking:
                assert isinstance(pipe, Connection)
                process, number = crew[pipe]
                try:
                    said = pipe.recv()
                except _GONE:
                    del crew[pipe]
                    _end([process])
                    lost[number] += 1
                    if lost[number] == _TRIES:
                        raise RuntimeError(
                            f"expected {number} to be worked off, found its worker killed "
                            f"{_TRIES} times (exit code {process.exitcode}): is there memory for "
                            f"{workers} workers?"
                        ) from None
                    waiting.appendleft(number)
                    continue
                if isinstance(said, Exception):
                    raise said
                count, done = said
                if done:
                    if waiting:
                        crew[pipe] = process, waiting.popleft()
                        with suppress(*_GONE):
                            pipe.send(crew[pipe][1])
                    else:
                        pipe.close()  # which ends it
                        del crew[pipe]
                        process.join()
                yield Progress(number, count, done)
    finally:
        _end([process for process, _ in crew.values()])


def _start(make: Callable[[], Work]) -> tuple[Connection, BaseProcess]:
    # Processes that are forked while threads run may hang; a new one imports what it needs.
    context = get_context("spawn")
    pipe, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, make), daemon=True)
    # Ctrl-C is for all of a terminal's processes; here it is for the first one to end the others.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()
    return pipe, process


def _serve(pipe: Connection, make: Callable[[], Work]) -> None:
    def tell(count: int) -> None:
        pipe.send((count, False))

    with suppress(*_GONE):
        try:
            work = make()
            while True:
                work(pipe.recv(), tell)
                pipe.send((0, True))
        except _GONE:
            raise
        except Exception as error:
            pipe.send(error)


def _end(processes: list[BaseProcess]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()
