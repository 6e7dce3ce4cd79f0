"""The master key: 32 bytes in a file of their own, outside the database that they protect."""

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rowgate.ports import StoreError

SEALING = "sealing"  # purposes: what a wrapped key is for, authenticated with it
DIGEST = "digest"
_NONCE_BYTES = 12
_KEY_BYTES = 32


def create_master_key(path: Path, key: bytes) -> None:
    """Write a new master key; only its owner may read it.

    Raises:
        FileExistsError: There is one already.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())


def load_master_key(path: Path) -> bytes:
    """Give the 32 bytes of the master key.

    Raises:
        StoreError: The file is missing, unreadable or damaged.
    """
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except FileNotFoundError:
        raise StoreError(f"{path} is missing: put the home's master key back, or make a new home") from None
    except PermissionError:
        raise StoreError(f"{path} cannot be read by this user: check its owner and mode") from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: restore it from a backup ({type(error).__name__})") from error
    if len(key) != _KEY_BYTES:
        raise StoreError(f"{path} is damaged: restore it from a backup")
    return key


def name_signing_purpose(kid: str) -> str:
    """Give the purpose of the signing key of that name, so that no wrapped key stands in for another."""
    return f"signing:{kid}"


def wrap_key(master: bytes, purpose: str, key: bytes, nonce: bytes) -> bytes:
    """Give a key sealed for the database; `nonce` is 12 fresh random bytes."""
    return nonce + AESGCM(master).encrypt(nonce, key, purpose.encode())


def unwrap_key(master: bytes, purpose: str, wrapped: bytes) -> bytes:
    """Give the key back.

    Raises:
        StoreError: Another master key sealed it, or it is damaged.
    """
    try:
        return AESGCM(master).decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], purpose.encode())
    except (InvalidTag, ValueError):
        raise StoreError("master.key does not open this home's keys: put the right one back") from None
