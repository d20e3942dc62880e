"""The secrets of one data folder: Ed25519 keys that sign access tokens, and the root from which others derive.

`signing-0001.pem`, `signing-0002.pem` ...: every one verifies, the last one signs. `root.secret`: 32 random bytes. A
process that lost the race to create them reads what the winner wrote, and a crash leaves either no file or a whole one.
"""

import base64
import fcntl
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from serve.auth.errors import KeyFileUnusable

_ROOT = "root.secret"
_ROOT_BYTES = 32
_PARTIAL = ".partial"
_Parsed = TypeVar("_Parsed")


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _coordinate(key: Ed25519PublicKey) -> str:
    return _base64url(key.public_bytes(Encoding.Raw, PublicFormat.Raw))


def key_id(key: Ed25519PublicKey) -> str:
    """Return the JWK thumbprint (RFC 7638), so that a key has the same id wherever it is read."""
    canonical = f'{{"crv":"Ed25519","kty":"OKP","x":"{_coordinate(key)}"}}'
    return _base64url(hashlib.sha256(canonical.encode()).digest())


@dataclass(frozen=True)
class KeyRing:
    """The keys of one data folder. `issuer` is the same in every process of that folder and in no other folder."""

    signing_key: Ed25519PrivateKey = field(repr=False)
    verifying_keys: dict[str, Ed25519PublicKey] = field(repr=False)
    root: bytes = field(repr=False)

    @cached_property
    def signing_kid(self) -> str:
        """The id of the key that signs."""
        return key_id(self.signing_key.public_key())

    @cached_property
    def issuer(self) -> str:
        """The `iss` of this folder's tokens; it survives the rotation of keys."""
        return f"urn:boond:{self.derive('issuer').hex()[:32]}"

    def derive(self, purpose: str) -> bytes:
        """Return 32 secret bytes for one purpose; knowing those of one says nothing of another."""
        return hmac.digest(self.root, f"boond:{purpose}".encode(), "sha256")

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the public JWK Set (RFC 7517) with which others may verify tokens."""
        return {
            "keys": [
                {"kty": "OKP", "crv": "Ed25519", "x": _coordinate(key), "kid": kid, "use": "sig", "alg": "EdDSA"}
                for kid, key in self.verifying_keys.items()
            ]
        }


def load_or_create(folder: Path) -> KeyRing:
    """Read the keys of `folder` (`DATA/keys`), making what is missing. Idempotent, safe in parallel, survives a crash.

    Raises `KeyFileUnusable` for a damaged file or one that others may read; a new key is never put in its place.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if stat.S_IMODE(folder.stat().st_mode) != 0o700:
        folder.chmod(0o700)
    if not _signing_files(folder) or not (folder / _ROOT).exists():
        with _exclusive(folder):
            if not (folder / _ROOT).exists():
                _write(folder / _ROOT, secrets.token_bytes(_ROOT_BYTES))
            if not _signing_files(folder):
                _add_signing_key(folder)
    return _load(folder)


def rotate(folder: Path) -> KeyRing:
    """Add a key that signs from now on; the older ones still verify. A running process sees it when it restarts."""
    load_or_create(folder)
    with _exclusive(folder):
        _add_signing_key(folder)
    return _load(folder)


def _signing_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("signing-[0-9][0-9][0-9][0-9].pem"))


def _add_signing_key(folder: Path) -> None:
    existing = _signing_files(folder)
    number = int(existing[-1].stem.removeprefix("signing-")) + 1 if existing else 1
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write(folder / f"signing-{number:04}.pem", pem)


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the kernel releases when its holder dies, and clear what a dead holder left."""
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in folder.glob(f"*{_PARTIAL}"):
            leftover.unlink()
        yield
    finally:
        os.close(lock)


def _write(path: Path, content: bytes) -> None:
    """Make the whole file appear at once, on the disk, readable by its owner only."""
    partial = path.with_name(path.name + _PARTIAL)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _load(folder: Path) -> KeyRing:
    private_keys = [_read(path, _private_key) for path in _signing_files(folder)]
    publics = [key.public_key() for key in private_keys]
    return KeyRing(private_keys[-1], {key_id(key): key for key in publics}, _read(folder / _ROOT, _root))


def _read(path: Path, parse: Callable[[bytes], _Parsed]) -> _Parsed:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise KeyFileUnusable(f"{path}: mode {mode:04o} lets others read it; run chmod 600 on it, or replace the key")
    try:
        return parse(path.read_bytes())
    except ValueError:
        message = f"{path}: damaged; restore it from a backup, or remove it, which logs everyone out"
        raise KeyFileUnusable(message) from None


def _private_key(content: bytes) -> Ed25519PrivateKey:
    key = load_pem_private_key(content, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("not an Ed25519 key")
    return key


def _root(content: bytes) -> bytes:
    if len(content) != _ROOT_BYTES:
        raise ValueError("not a root secret")
    return content
