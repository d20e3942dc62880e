"""Passwords: which are accepted, and Argon2id off the event loop.

Policy after NIST SP 800-63B-4: length and a list of common ones, no composition rules. A password is normalised to
NFKC (section 3.1.1.2), so that the same keys on another keyboard or system give the same secret. Cost after the OWASP
Password Storage Cheat Sheet: m = 19 MiB, t = 2, p = 1 (24 ms on the machine this was chosen on; m = 46 MiB, t = 1
counts as equally strong there and took 50 ms).
"""

import base64
import os
import secrets
import unicodedata
from asyncio import wrap_future
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from importlib.resources import files
from threading import Lock, get_native_id
from typing import TypeVar

import argon2
from argon2.exceptions import VerifyMismatchError

from serve.auth.errors import Busy, InputRefused

PASSWORD_CHARS_MIN = 8
PASSWORD_CHARS_MAX = 256
MEMORY_KIB = 19 * 1024
PASSES = 2
WAITING_MAX = 64
NICENESS = 15
"""Of the threads that hash, 0 being everyone else and 19 the least."""

_Result = TypeVar("_Result")


@cache
def _common() -> frozenset[str]:
    return frozenset(files("serve.auth").joinpath("common_passwords.txt").read_text("ascii").split())


def check_password(password: str, email: str = "") -> str:
    """Return the password as it will be hashed; raise `InputRefused` (field `password`) if it must not be used."""
    normal = _normalise(password)
    if normal is None or len(normal) < PASSWORD_CHARS_MIN:
        raise InputRefused("password", f"expected {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} printable characters")
    folded = normal.casefold()
    if folded in _common():
        raise InputRefused("password", "one of the most common passwords: choose another")
    if email and folded in (email.casefold(), email.casefold().partition("@")[0]):
        raise InputRefused("password", "the same as the e-mail: choose another")
    return normal


def _normalise(password: str) -> str | None:
    """Return the NFKC form, or None for what can be nobody's password: too long, control characters, surrogates."""
    if len(password) > PASSWORD_CHARS_MAX:
        return None
    normal = unicodedata.normalize("NFKC", password)
    if len(normal) > PASSWORD_CHARS_MAX or any(unicodedata.category(char) in ("Cc", "Cs") for char in normal):
        return None
    return normal


class Passwords:
    """Hashes and verifies in `threads` threads (default: half the cores), `waiting_max` more in line; beyond, `Busy`.

    One hash holds 19 MiB, so memory is bounded by `threads`, also when callers give up waiting.
    """

    def __init__(
        self,
        *,
        threads: int | None = None,
        waiting_max: int = WAITING_MAX,
        memory_kib: int = MEMORY_KIB,
        passes: int = PASSES,
    ) -> None:
        threads = threads or max(1, (os.cpu_count() or 2) // 2)
        self._hasher = argon2.PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self._nobodys_hash = _nobodys_hash(memory_kib, passes)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="argon2", initializer=_yield_to_payments)
        self.pending = self.done = self.refused = 0
        """Hashes under way or waiting, those that ended, and those for which the line was too long."""
        self._pending_max = threads + waiting_max
        self._lock = Lock()

    async def hash(self, password: str, email: str = "") -> str:
        """Return the encoded hash of an acceptable password. Raises `InputRefused` or `Busy`."""
        normal = check_password(password, email)
        return await wrap_future(self._submit(lambda: self._hasher.hash(normal)))

    async def rehash(self, password: str) -> str:
        """Return a hash at today's costs of a password that was just verified, whatever today's policy says of it."""
        return await wrap_future(self._submit(lambda: self._hasher.hash(_normalise(password) or "")))

    async def verify(self, password: str, stored: str | None) -> bool:
        """Return whether the password fits; with None (no such account) do the same work and say no. Raises `Busy`."""
        normal = _normalise(password)
        if normal is None or stored is None:
            await wrap_future(self._submit(lambda: self._fits("", self._nobodys_hash)))
            return False
        return await wrap_future(self._submit(lambda: self._fits(normal, stored)))

    def needs_rehash(self, stored: str) -> bool:
        """Return whether the hash was made with other costs than today's: hash again at the next log-in."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Let what is running finish; nothing more is taken."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _fits(self, normal: str, stored: str) -> bool:
        try:
            return self._hasher.verify(stored, normal)
        except VerifyMismatchError:
            return False

    def _submit(self, work: Callable[[], _Result]) -> "Future[_Result]":
        with self._lock:
            if self.pending >= self._pending_max:
                self.refused += 1
                raise Busy
            self.pending += 1
        future = self._executor.submit(work)
        # Counted by the work itself, not by its caller: a caller that hangs up does not free the thread.
        future.add_done_callback(self._done)
        return future

    def _done(self, _: "Future[_Result]") -> None:
        with self._lock:
            self.pending -= 1
            self.done += 1


def _yield_to_payments() -> None:
    """Lower the priority of this thread alone: a flood of log-ins must not take the processor from payments."""
    os.setpriority(os.PRIO_PROCESS, get_native_id(), NICENESS)


def _nobodys_hash(memory_kib: int, passes: int) -> str:
    """Return a hash no password fits, which costs as much to check as a real one and nothing to make."""
    salt, digest = (base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (16, 32))
    return f"$argon2id$v=19$m={memory_kib},t={passes},p=1${salt}${digest}"
