"""Every failure of Microsoft as one of a few errors of ours; which is which is data."""

from __future__ import annotations

import re

from consentry.connect.provider import WaitForConsent
from consentry.core.errors import ConsentryError


class MicrosoftError(ConsentryError):
    """A refusal or failure at Microsoft, in a person's words, with Microsoft's code and request id beside it."""

    def __init__(self, code: str, what: str, remedy: str, *, status: int = 0, request_id: str = "") -> None:
        super().__init__(code, what, remedy)
        self.status = status
        self.request_id = request_id


class Reauthorise(MicrosoftError):
    """Our credentials or consent no longer do: a person must act."""


class NotYet(MicrosoftError, WaitForConsent):
    """Not consented, or consent has not spread yet: worth waiting for."""


class Forbidden(MicrosoftError):
    """One capability is missing; the rest works."""


class Unlicensed(MicrosoftError):
    """The tenant lacks the licence for this collection."""


class Unavailable(MicrosoftError):
    """This cloud does not have the collection."""


class NotFound(MicrosoftError):
    """Gone, or not replicated yet."""


class ExpiredPage(MicrosoftError):
    """A page token expired: the collection starts again."""


class Resync(MicrosoftError):
    """A delta token expired: the collection is read in full."""


class Transient(MicrosoftError):
    """Microsoft or the way to it fails for now; retries are used up."""


# code -> (kind, what happened, what to do). Source: learn.microsoft.com/entra/identity-platform/reference-error-codes
TOKEN_ERRORS: dict[int, tuple[type[MicrosoftError], str, str]] = {
    65001: (NotYet, "The tenant has not consented to this app.", "Authorise it as an administrator of the tenant."),
    700016: (
        NotYet,
        "The tenant does not know this app: it has not consented yet, or the tenant or cloud is another one.",
        "Authorise it as an administrator of the tenant, and check the tenant id and the client id.",
    ),
    7000112: (Reauthorise, "The app is disabled in the tenant.", "Enable it in Entra under Enterprise applications, then try again."),
    7000215: (
        Reauthorise,
        "The client secret is wrong.",
        "Enter the secret's value (not its id) under Administration > Registrations, then try again.",
    ),
    7000222: (Reauthorise, "The client secret has expired.", "Make a new one in Entra and enter it under Administration > Registrations."),
    700027: (
        Reauthorise,
        "The certificate is not registered on the app.",
        "Upload it in Entra under Certificates & secrets, or enter the registered one.",
    ),
    700030: (
        Reauthorise,
        "The certificate is not valid for the app.",
        "Enter the registered certificate under Administration > Registrations.",
    ),
    50012: (Reauthorise, "Authentication with the certificate failed.", "Check that certificate and private key belong together."),
    700024: (
        Reauthorise,
        "Microsoft found the signed request outside its valid time: this machine's clock is wrong.",
        "Set the clock (use network time), then try again.",
    ),
    90002: (Reauthorise, "Microsoft does not know this tenant.", "Check the tenant id or domain, and that it is in this cloud."),
    90038: (Reauthorise, "The tenant belongs to another national cloud.", "Set the login and Graph addresses of that cloud."),
    53003: (Reauthorise, "A Conditional Access policy of the tenant blocks this app.", "Exclude the app from it or allow this address."),
    500011: (
        Reauthorise,
        "The tenant has no service principal for Microsoft Graph at this address.",
        "Check the Graph address of the cloud.",
    ),
    90033: (Transient, "Microsoft's sign-in service is busy.", "It is tried again by itself."),
    90006: (Transient, "Microsoft's sign-in service has a passing fault.", "It is tried again by itself."),
    90024: (Transient, "Microsoft's sign-in service is busy.", "It is tried again by itself."),
    90055: (Transient, "The tenant is throttled by Microsoft.", "It is tried again by itself."),
}

_NUMBER = re.compile(r"AADSTS(\d+)")


def token_error(error: str, description: str, codes: list[int], trace_id: str) -> MicrosoftError:
    """Our error for a refusal of the token endpoint."""
    numbers = [*codes, *(int(number) for number in _NUMBER.findall(description))]
    for number in numbers:
        if number in TOKEN_ERRORS:
            kind, what, remedy = TOKEN_ERRORS[number]
            return kind(f"AADSTS{number}", what, remedy, request_id=trace_id)
    kind = NotYet if error == "unauthorized_client" else Reauthorise
    code = f"AADSTS{numbers[0]}" if numbers else error or "token_error"
    return kind(
        code,
        f"Microsoft refused a token ({error or 'unknown error'}).",
        "Check the registration under Administration.",
        request_id=trace_id,
    )


def consent_error(error: str, subcode: str, description: str) -> tuple[str, str, str]:
    """Code, what happened and what to do, for the parameters of a consent redirect that carries ``error``."""
    found = _NUMBER.search(description)
    number = int(found[1]) if found else 0
    if number in {90094, 90095}:
        return (
            f"AADSTS{number}",
            "The account that signed in is not an administrator who may consent.",
            "Try again with a Global Administrator.",
        )
    if number == 65004 or error == "permission_denied":
        return f"AADSTS{number or 65004}", "The permissions were not accepted.", "Try again and choose Accept."
    if error == "access_denied":
        return (
            error if not number else f"AADSTS{number}",
            "The permissions were not accepted, or the account may not accept them for the organisation.",
            "Try again with a Global Administrator and choose Accept.",
        )
    if number in {65001, 650052, 650056, 65005, 650057}:
        return f"AADSTS{number}", "The app's registered permissions can't be granted in this tenant.", "Check its API permissions in Entra."
    return (
        (f"AADSTS{number}" if number else error),
        "Microsoft did not grant the permissions.",
        "Try again; if it stays, search for the code.",
    )


def graph_error(status: int, code: str, message: str, request_id: str) -> MicrosoftError:
    """Our error for an answer of Graph that is not 2xx."""
    kind: type[MicrosoftError] = Transient
    what, remedy = f"Microsoft answered {status} ({code or 'no code'}).", "It is tried again with the next run."
    lowered = code.lower()
    if status == 401:
        kind, what, remedy = Reauthorise, "Microsoft no longer accepts our token.", "Re-authorise the integration."
    elif status == 403 and "nonpremiumtenant" in lowered:
        kind, what, remedy = Unlicensed, "The tenant lacks the licence for this data.", "Nothing to do: the rest works without it."
    elif status == 403:
        kind, what, remedy = Forbidden, "A permission for this data is missing.", "Grant it to the reader registration and re-authorise."
    elif status == 404:
        kind, what, remedy = NotFound, "Microsoft does not have this object or collection.", "Nothing to do."
    elif status == 410 or lowered in {"syncstatenotfound", "resyncrequired"}:
        kind, what, remedy = Resync, "The change token has expired.", "Everything is read again by itself."
    elif status == 400 and lowered == "directory_expiredpagetoken":
        kind, what, remedy = ExpiredPage, "A page token expired while reading.", "The collection is read again by itself."
    elif status in {400, 405, 501}:
        kind, what, remedy = (
            Unavailable,
            f"This cloud does not offer the data ({code}: {message[:120]}).",
            "Nothing to do: the rest works without it.",
        )
    elif status == 429:
        what, remedy = "Microsoft limits our requests.", "It goes on by itself; a lower rate helps."
    return kind(code or f"http_{status}", what, remedy, status=status, request_id=request_id)
