"""Client assertions: a certificate's signature instead of a secret, verified in full.

Source: learn.microsoft.com/entra/identity-platform/certificate-credentials. Both forms that msal sends are known: PS256 with
``x5t#S256`` and the older RS256 with ``x5t``. msal pads the thumbprint, leaves ``nbf`` out and
sends one assertion for minutes, so all three are accepted.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from consentry.simulator.state import Registration

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_PUBLIC_LOGIN = "login.microsoftonline.com"
_FORMS = {"PS256": ("x5t#S256", hashes.SHA256()), "RS256": ("x5t", hashes.SHA1())}  # noqa: S303  # x5t is SHA-1 by RFC 7515


class RefusedAssertionError(Exception):
    """The number and text of Microsoft's refusal."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number, self.text = number, text


def check(assertion: str, registration: Registration, *, host: str, tenants: set[str]) -> None:
    """Accept an assertion made for ``host`` and one of the tenant's names. Raises ``RefusedAssertionError``."""
    try:
        header = jwt.get_unverified_header(assertion)
    except jwt.PyJWTError as error:
        raise RefusedAssertionError(50027, "JWT token is invalid or malformed.") from error
    algorithm = str(header.get("alg"))
    certificate = next(_matching(registration, header, algorithm), None)
    if certificate is None:
        raise _not_registered("The key was not found.")
    if certificate.not_valid_after_utc < datetime.now(UTC):
        raise _not_registered("The key used is expired.")
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise _not_registered("The key type is not supported.")
    claims = _claims(assertion, key, algorithm)
    if not claims["iss"] == claims["sub"] == registration.client_id:
        raise RefusedAssertionError(700021, "Client assertion application identifier doesn't match 'client_id' parameter.")
    if not _is_for(str(claims["aud"]), host, tenants):
        raise RefusedAssertionError(700023, "Client assertion audience claim does not match Realm issuer.")


def _claims(assertion: str, key: RSAPublicKey, algorithm: str) -> dict[str, Any]:
    try:
        options: Any = {"verify_aud": False, "require": ["aud", "exp", "iss", "jti", "sub"]}
        return jwt.decode(assertion, key, algorithms=[algorithm], options=options, leeway=300)
    except jwt.InvalidSignatureError as error:
        raise _not_registered("Client assertion failed signature validation.") from error
    except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError) as error:
        raise RefusedAssertionError(700024, "Client assertion is not within its valid time range.") from error
    except jwt.PyJWTError as error:
        raise RefusedAssertionError(50027, f"JWT token is invalid or malformed: {error}.") from error


def _matching(registration: Registration, header: dict[str, Any], algorithm: str) -> Iterator[x509.Certificate]:
    if algorithm not in _FORMS:
        return
    name, digest = _FORMS[algorithm]
    for pem in registration.certificates_pem:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        if str(header.get(name)).rstrip("=") == base64.urlsafe_b64encode(certificate.fingerprint(digest)).decode().rstrip("="):
            yield certificate


def _is_for(audience: str, host: str, tenants: set[str]) -> bool:
    parts = urlsplit(audience)
    tenant, _, rest = parts.path.strip("/").partition("/")
    return parts.netloc in {host, _PUBLIC_LOGIN} and tenant.lower() in tenants and rest in {"oauth2/v2.0/token", "v2.0"}


def _not_registered(reason: str) -> RefusedAssertionError:
    text = f"The certificate with identifier used to sign the client assertion is not registered on application. [Reason - {reason}]"
    return RefusedAssertionError(700027, text)
