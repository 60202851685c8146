"""App-only tokens through msal, with a transport of ours.

msal insists on https; ours carries its requests to a loopback double over http. It also ignores CA variables of the
environment, which requests would let override the configured authority (reference, section 3.3).
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msal
import requests

from consentry.connect.provider import Registration
from consentry.core.secrets import Secret
from consentry.providers.entra.clouds import Cloud
from consentry.providers.entra.errors import MicrosoftError, Transient, token_error

_TIMEOUT = (5, 20)
_RENEW_BEFORE_SECONDS = 300


@dataclass(slots=True)
class Tokens:
    """Tokens of one registration in one tenant. Held in memory only."""

    cloud: Cloud
    registration: Registration
    tenant: str
    _token: Secret | None = field(default=None, init=False)
    _expires: float = field(default=0.0, init=False)
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    def get(self, *, fresh: bool = False) -> Secret:
        """A token that lives for some minutes yet. Raises ``MicrosoftError``.

        Every request builds a new msal application: msal would keep a role-less token for an hour and an error for a minute.
        """
        if not fresh and (held := self._held()):
            return held
        transport = _Transport(self.cloud)
        try:
            application = msal.ConfidentialClientApplication(
                self.registration.client_id,
                client_credential=_credential(self.registration),
                authority=f"{transport.public_login}/{self.tenant}",
                instance_discovery=False if self.cloud.replaced_login else None,
                http_client=transport,
            )
            answer = application.acquire_token_for_client([f"{self.cloud.graph_url}/.default"])
        except requests.RequestException as error:
            raise Transient(
                "microsoft_unreachable",
                f"Microsoft's sign-in service at {self.cloud.login_url} can't be reached ({type(error).__name__}).",
                "Check the network, the proxy and CONSENTRY_MICROSOFT_LOGIN_URL; it is tried again by itself.",
            ) from error
        except ValueError as error:
            raise self._unusable(str(error)) from error
        finally:
            transport.close()
        if "access_token" not in answer:
            raise token_error(
                answer.get("error", ""), answer.get("error_description", ""), answer.get("error_codes") or [], answer.get("trace_id", "")
            )
        self._token = Secret(answer["access_token"])
        self._expires = time.monotonic() + int(answer.get("expires_in", 3600)) - _RENEW_BEFORE_SECONDS
        return self._token

    async def get_async(self, *, fresh: bool = False) -> Secret:
        """``get``, in a thread where it waits for the network, and for all who ask meanwhile at once."""
        if not fresh and (held := self._held()):
            return held
        async with self._asking:
            return await asyncio.to_thread(self.get, fresh=fresh)

    def _held(self) -> Secret | None:
        return self._token if time.monotonic() < self._expires else None

    def _unusable(self, text: str) -> MicrosoftError:
        if "AADSTS" in text or "authority" in text.lower() or "tenant" in text.lower():
            return token_error("invalid_request", text, [90002], "")
        return token_error("invalid_client", text, [50012], "")


def _credential(registration: Registration) -> Any:
    if registration.private_key:
        # PS256 with x5t#S256, as Microsoft recommends since 2025; a SHA-1 thumbprint would fall back to RS256
        return {"private_key": str(registration.private_key), "public_certificate": registration.certificate_pem}
    return str(registration.secret or "")


class _Response:
    def __init__(self, status_code: int, text: str, headers: dict[str, str]) -> None:
        self.status_code, self.text, self.headers = status_code, text, headers

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            raise requests.HTTPError(f"{self.status_code}")


class _Transport:
    """msal's ``http_client``: get, post, close."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        parts = urlsplit(cloud.login_url)
        self.public_login = f"https://{parts.netloc}"
        self.session = requests.Session()
        self.session.trust_env = cloud.ca_file is None and parts.scheme == "https"
        if cloud.ca_file:
            self.session.verify = cloud.ca_file

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> _Response:
        if self.cloud.replaced_login and url.split("?")[0].endswith("/.well-known/openid-configuration"):
            base = url.split("/v2.0/.well-known")[0]
            document = {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "issuer": f"{base}/v2.0",
            }
            return _Response(200, json.dumps(document), {"Content-Type": "application/json"})
        return self._answer(self.session.get(self._private(url), params=params, headers=headers, timeout=_TIMEOUT))

    def post(self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any) -> _Response:
        return self._answer(self.session.post(self._private(url), params=params, data=data, headers=headers, timeout=_TIMEOUT))

    def close(self) -> None:
        self.session.close()

    def _private(self, url: str) -> str:
        return url.replace(self.public_login, self.cloud.login_url, 1)

    @staticmethod
    def _answer(response: requests.Response) -> _Response:
        if response.status_code >= 500:
            raise requests.HTTPError(f"{response.status_code} from the sign-in service")
        return _Response(response.status_code, response.text, dict(response.headers))
