"""Faults that are real: processes that are killed, disks that are full or cannot be written."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import time
import zipfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's fork and mounts")

_NEW_NAMES, _NEW_USER = 0x00020000, 0x10000000  # CLONE_NEWNS, CLONE_NEWUSER
_READ_ONLY, _REMOUNT, _RECURSIVE, _PRIVATE = 1, 32, 1 << 14, 1 << 18  # MS_...
_NO_MOUNTS = "no mounts here"

Work = Callable[[], object]


def started(work: Work) -> tuple[multiprocessing.process.BaseProcess, Connection]:
    """Begin some work in a process of its own; what it ends with comes through the pipe."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)

    def run() -> None:
        os.setpgrp()  # so that what it starts can be killed with it
        try:
            work()
            theirs.send("")
        except BaseException as error:
            theirs.send(f"{type(error).__name__}: {error}")

    process = context.Process(target=run)
    process.start()
    theirs.close()
    return process, ours


def ended(work: Work) -> str:
    """Do some work in a process of its own; return the error it ended with, or nothing."""
    process, pipe = started(work)
    said = pipe.recv()
    process.join()
    if said.endswith(_NO_MOUNTS):
        pytest.skip("needs to mount a file system, which this user may not")
    return said


def killed(work: Work, after: float, since: Callable[[], bool] = lambda: True) -> bool:
    """Do some work in a process that is killed; say if it was still on.

    Args:
        work: What to do.
        after: Seconds until the kill.
        since: What must be true before they begin, on however busy a machine.
    """
    process, _ = started(work)
    while process.is_alive() and not since():
        time.sleep(0.001)
    time.sleep(after)
    was_on = process.is_alive()
    if was_on:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:  # it has not come to have a group of its own
            process.kill()
    process.join()
    return was_on


def mount(folder: Path, bytes_: int) -> None:
    """Put a small file system of memory at a folder, seen by this process alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_NEW_NAMES | (_NEW_USER if user else 0)):
        raise OSError(_NO_MOUNTS)
    if user:  # the owner of a namespace may mount in it
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    libc.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None)
    size = f"size={bytes_}".encode()
    if libc.mount(b"none", os.fsencode(folder), b"tmpfs", 0, size):
        raise OSError(_NO_MOUNTS)


def make_read_only(folder: Path) -> None:
    """Let nothing be written to what :func:`mount` has put there."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", os.fsencode(folder), None, _REMOUNT | _READ_ONLY, None):
        raise OSError(_NO_MOUNTS)


def flip(path: Path) -> None:
    """Change one bit of a checkpoint's weight, which torch would read as another weight."""
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        tensors = [each for each in archive.infolist() if "/data/" in each.filename]
        numbers = archive.read(max(tensors, key=lambda member: member.file_size))
    content[content.index(numbers) + len(numbers) // 2] ^= 4
    path.write_bytes(content)
