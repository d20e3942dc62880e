"""The secrets of a data folder: private, whole or absent, and the same for everyone who opens it."""

import base64
import hashlib
import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from serve.auth.errors import KeyFileUnusable
from serve.auth.keys import key_id, load_or_create, rotate

CREATE = """
import sys, pathlib
from serve.auth.keys import load_or_create
print("here", flush=True)
sys.stdin.readline()
ring = load_or_create(pathlib.Path(sys.argv[1]))
print(ring.signing_kid, ring.issuer)
"""

DIE_WHILE_WRITING = """
import os, sys, pathlib
from serve.auth.keys import load_or_create
os.fsync = lambda _: os.kill(os.getpid(), 9)
load_or_create(pathlib.Path(sys.argv[1]))
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_same_folder_gives_the_same_keys(tmp_path: Path) -> None:
    first, second = load_or_create(tmp_path / "keys"), load_or_create(tmp_path / "keys")
    assert (first.signing_kid, first.issuer, first.root) == (second.signing_kid, second.issuer, second.root)


def test_two_folders_share_neither_key_nor_issuer(tmp_path: Path) -> None:
    one, other = load_or_create(tmp_path / "one"), load_or_create(tmp_path / "other")
    assert one.signing_kid != other.signing_kid
    assert one.issuer != other.issuer
    assert one.derive("purpose") != other.derive("purpose")


def test_only_the_owner_may_look(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o755)
    load_or_create(folder)
    assert mode(folder) == 0o700
    assert {mode(path) for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("name", ["signing-0001.pem", "root.secret"])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, name: str) -> None:
    load_or_create(tmp_path)
    (tmp_path / name).chmod(0o640)
    with pytest.raises(KeyFileUnusable, match=r"mode 0640.*chmod 600"):
        load_or_create(tmp_path)


@pytest.mark.parametrize("name", ["signing-0001.pem", "root.secret"])
@pytest.mark.parametrize("kept", [0, 20])
def test_a_damaged_file_is_an_error_and_never_replaced(tmp_path: Path, name: str, kept: int) -> None:
    load_or_create(tmp_path)
    damaged = (tmp_path / name).read_bytes()[:kept]
    (tmp_path / name).write_bytes(damaged)
    with pytest.raises(KeyFileUnusable, match="damaged"):
        load_or_create(tmp_path)
    assert (tmp_path / name).read_bytes() == damaged


def test_a_process_killed_while_writing_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    died = subprocess.run([sys.executable, "-c", DIE_WHILE_WRITING, str(tmp_path)], check=False)
    assert died.returncode == -9
    assert [path.name for path in tmp_path.glob("*.partial")] == ["root.secret.partial"]
    ring = load_or_create(tmp_path)
    assert load_or_create(tmp_path).signing_kid == ring.signing_kid
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "root.secret", "signing-0001.pem"]


def test_processes_that_create_at_once_agree(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CREATE, str(tmp_path / "keys")]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = {process.communicate()[0] for process in processes}
    ring = load_or_create(tmp_path / "keys")
    assert answers == {f"{ring.signing_kid} {ring.issuer}\n"}


def test_after_a_rotation_the_new_key_signs_and_the_old_one_still_verifies(tmp_path: Path) -> None:
    before = load_or_create(tmp_path)
    after = rotate(tmp_path)
    assert after.signing_kid != before.signing_kid
    assert set(after.verifying_keys) == {before.signing_kid, after.signing_kid}
    assert after.issuer == before.issuer


def test_the_key_set_is_public_and_its_ids_are_thumbprints(tmp_path: Path) -> None:
    load_or_create(tmp_path)
    ring = rotate(tmp_path)
    published = ring.jwks()["keys"]
    assert [set(key) for key in published] == [{"kty", "crv", "x", "kid", "use", "alg"}] * 2
    for key in published:
        canonical = json.dumps({name: key[name] for name in ("crv", "kty", "x")}, separators=(",", ":"))
        digest = hashlib.sha256(canonical.encode()).digest()
        assert key["kid"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def test_the_thumbprint_is_that_of_rfc_8037() -> None:
    coordinate = base64.urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    assert key_id(Ed25519PublicKey.from_public_bytes(coordinate)) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_printed_ring_shows_no_secret(tmp_path: Path) -> None:
    assert repr(load_or_create(tmp_path)) == "KeyRing()"
