"""Secrets at rest: AES-256-GCM with the row as associated data, and keyed hashes for what is only looked up."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import os
import secrets as randomness
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consentry.core import paths
from consentry.core.errors import ConsentryError

_FORMAT = 1
_NONCE_BYTES = 12
_KEY_ID_BYTES = 4


class Secret(str):
    """A plain secret in memory whose ``repr`` never shows it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<encrypted>"


class SecretBox:
    """Encrypts with the first key of the key file and decrypts with any of them, so that keys can be rotated.

    A sealed value is format byte, key id (first four bytes of the key's SHA-256), nonce, ciphertext with tag.
    """

    def __init__(self, keys: list[bytes]) -> None:
        self._keys = {hashlib.sha256(key).digest()[:_KEY_ID_BYTES]: key for key in keys}
        self._current = keys[0]

    def encrypt(self, plaintext: str, *, context: str) -> bytes:
        """Seal ``plaintext``; it opens only with the same ``context`` (table, column, row)."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(self._current).encrypt(nonce, plaintext.encode(), context.encode())
        return bytes([_FORMAT]) + hashlib.sha256(self._current).digest()[:_KEY_ID_BYTES] + nonce + sealed

    def decrypt(self, blob: bytes, *, context: str) -> Secret:
        """Open what ``encrypt`` sealed. Raises ``ConsentryError`` for another key, another row or changed bytes."""
        blob = bytes(blob)
        key = self._keys.get(blob[1 : 1 + _KEY_ID_BYTES])
        if blob[:1] != bytes([_FORMAT]) or key is None:
            raise ConsentryError(
                "encryption_key_missing",
                "A stored secret was encrypted with a key that is not in the key file.",
                "Put the old key back as a further line of the key file, or enter the secret again under Administration.",
            )
        start = 1 + _KEY_ID_BYTES
        try:
            plain = AESGCM(key).decrypt(blob[start : start + _NONCE_BYTES], blob[start + _NONCE_BYTES :], context.encode())
        except InvalidTag as error:
            raise ConsentryError(
                "secret_damaged",
                "A stored secret does not belong to its row or was changed.",
                "Enter the secret again under Administration.",
            ) from error
        return Secret(plain.decode())


def key_file() -> Path:
    """Where the key file is or will be."""
    configured = os.environ.get("CONSENTRY_ENCRYPTION_KEY_FILE")
    return Path(configured).expanduser() if configured else paths.data_dir() / "encryption.key"


@functools.cache
def keys() -> tuple[bytes, ...]:
    """The keys of the key file, newest first; the file is made with mode 0600 when missing.

    Raises ``ConsentryError`` when it can't be read, is readable by others or holds something else.
    """
    path = key_file()
    try:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(handle, "w") as file:
                file.write(base64.b64encode(randomness.token_bytes(32)).decode() + "\n")
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConsentryError("key_file_open_to_others", f"The key file {path} can be read by other users.", f"Run: chmod 600 {path}")
        loaded = [base64.b64decode(line, validate=True) for line in path.read_text().split()]
    except OSError as error:
        raise ConsentryError(
            "key_file_unreadable",
            f"The key file {path} can't be read or made.",
            "Check its folder's permissions or CONSENTRY_ENCRYPTION_KEY_FILE.",
        ) from error
    except ValueError as error:
        raise ConsentryError(
            "key_file_invalid", f"The key file {path} does not hold base64 keys.", "Restore it from your backup of the key file."
        ) from error
    if not loaded or any(len(key) != 32 for key in loaded):
        raise ConsentryError(
            "key_file_invalid", f"The key file {path} does not hold keys of 32 bytes.", "Restore it from your backup of the key file."
        )
    return tuple(loaded)


@functools.cache
def box() -> SecretBox:
    """The installation's secret box."""
    return SecretBox(list(keys()))


def derive(purpose: str) -> bytes:
    """32 bytes for one purpose, derived from the oldest key, so that rotation keeps them stable."""
    return hmac.new(keys()[-1], f"consentry:{purpose}".encode(), hashlib.sha256).digest()


def hash_token(token: str) -> bytes:
    """The keyed hash under which a token, a ``state`` or a link is kept."""
    return hmac.new(derive("token-hash"), token.encode(), hashlib.sha256).digest()


def new_token() -> str:
    """A fresh unguessable token, safe in a URL."""
    return randomness.token_urlsafe(32)
