"""What a server and its children use: seconds of CPU, and memory as the kernel counts it. Linux only."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.02
MEBIBYTE_KB = 1024


@dataclass(slots=True)
class Peak:
    """The most that the largest process of a server held; complete when the watching has ended."""

    resident_mib: float = 0.0  # VmHWM, kept by the kernel: anonymous memory, shared libraries and mapped files
    anonymous_mib: float = 0.0  # RssAnon, sampled: the memory the process made itself


@dataclass(frozen=True, slots=True)
class Idle:
    """What the largest process of a server holds now."""

    resident_mib: float
    proportional_mib: float


def family(pid: int) -> list[int]:
    """The process and all its children."""
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its living children so far."""
    total = 0.0
    for member in family(pid):
        times = psutil.Process(member).cpu_times()
        total += times.user + times.system
    return total


def idle(pid: int) -> Idle:
    """The memory of the largest process of a server."""
    worker = max(family(pid), key=lambda member: _status_mib(member, "VmRSS"))
    rollup = Path(f"/proc/{worker}/smaps_rollup").read_text()
    return Idle(resident_mib=_figure_mib(rollup, "Rss"), proportional_mib=_figure_mib(rollup, "Pss"))


@contextlib.contextmanager
def watched(pid: int) -> Iterator[Peak]:
    """The peak of a server's largest process, to be read after the block.

    The server must be fresh, since VmHWM counts from its start.
    """
    peak, members, end = Peak(), family(pid), threading.Event()

    def sample() -> None:
        while not end.wait(SAMPLE_SECONDS):
            for member in members:
                peak.anonymous_mib = max(peak.anonymous_mib, _status_mib(member, "RssAnon"))
                peak.resident_mib = max(peak.resident_mib, _status_mib(member, "VmHWM"))

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield peak
    finally:
        end.set()
        sampler.join()
        peak.resident_mib = max(peak.resident_mib, *(_status_mib(member, "VmHWM") for member in members))


def _status_mib(pid: int, name: str) -> float:
    try:
        return _figure_mib(Path(f"/proc/{pid}/status").read_text(), name)
    except (OSError, IndexError):
        return 0.0  # the process has ended


def _figure_mib(text: str, name: str) -> float:
    return int(text.split(f"{name}:", 1)[1].split(None, 1)[0]) / MEBIBYTE_KB
