"""Has a thread that computes for long give way to others that want its processor.

Only Linux has a niceness for each thread, and slices since 6.12; elsewhere, and where a sandbox forbids it, threads
stay as they are.

Source: sched(7); sched_setattr(2); docs.kernel.org/scheduler/sched-eevdf.html
"""

import contextlib
import ctypes
import os
import platform
import sys

NICENESS = 3  # half of the processor's time where others want it, and all that they leave
SLICE_NANOSECONDS = 100_000  # what the thread may compute before the kernel looks who else wants to; the least it takes

_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274, "riscv64": 274, "ppc64le": 355, "s390x": 345}  # the system call


class _Attributes(ctypes.Structure):
    """`struct sched_attr` in its first version."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("sched_policy", ctypes.c_uint32),  # 0: the ordinary one
        ("sched_flags", ctypes.c_uint64),
        ("sched_nice", ctypes.c_int32),
        ("sched_priority", ctypes.c_uint32),
        ("sched_runtime", ctypes.c_uint64),  # of an ordinary thread: its slice
        ("sched_deadline", ctypes.c_uint64),
        ("sched_period", ctypes.c_uint64),
    )


def give_way() -> None:
    """Have this thread go after the others on its processor, and let them in often."""
    if sys.platform != "linux":
        return
    # the C library may lack these calls (musl), or a sandbox: a thread must not end because it could not give way
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)
        _shorten_slices()


def _shorten_slices() -> None:
    number = _SCHED_SETATTR.get(platform.machine())
    if number is not None and os.sched_getscheduler(0) == os.SCHED_OTHER:  # an operator's own choice is left alone
        niceness = os.getpriority(os.PRIO_PROCESS, 0)
        attributes = _Attributes(size=ctypes.sizeof(_Attributes), sched_nice=niceness, sched_runtime=SLICE_NANOSECONDS)
        # an older kernel takes it and has no slices; one that refuses leaves the thread as it is
        ctypes.CDLL(None).syscall(number, 0, ctypes.byref(attributes), 0)
