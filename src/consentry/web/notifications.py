"""Administration > Notifications: channels, a test button for each, and the delivery log."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID
from zoneinfo import available_timezones

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect

from consentry.core.clock import now
from consentry.core.errors import ConsentryError
from consentry.notify import services as notify
from consentry.notify.models import Channel, Delivery, DeliveryState
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.forms import ChannelForm
from consentry.web.removal import Consequence

_PAGE = 25
_FIELDS = ("kind", "name", "least_severity", "pace", "quiet_from", "quiet_until", "timezone")
_UNSEEN = "unseen_secrets"  # in the session: the channels whose new secrets are shown on the next page, this once
_DELETE = (
    Consequence("bad", "trash", "Its delivery log is deleted for ever, with what still waits to be sent."),
    Consequence("warn", "bell", "Nobody is told over it any more."),
)
_NEW_SECRET = (
    Consequence("bad", "key", "The old secret is gone at once. Until the receiver has the new one, it refuses what it gets."),
    Consequence("good", "refresh", "What was refused is tried again, signed with the new secret."),
)


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A signing secret that is shown this once."""

    channel: Channel
    text: str


@never_cache
@require_role("administrator")
def index(request: ConsoleRequest) -> HttpResponse:
    """The page, and making a channel."""
    form = ChannelForm(request.POST if request.method == "POST" else None, new=True)
    if request.method == "POST" and form.is_valid() and (made := _save(request, form, None)):
        messages.success(request, f"“{made.name}” was made. Send a test to see that it works.")
        return redirect("administration-notifications")
    log = Delivery.objects.filter(channel__account=request.user.account).select_related("channel").order_by("-created_at")
    context = {
        "channels": notify.channels(request.user.account),
        "form": form,
        "secrets": _unseen_secrets(request),
        "page": Paginator(log, _PAGE).get_page(request.GET.get("page")),
        "moment": now(),
        "kept": "",
        "timezones": sorted(available_timezones()),
    }
    return render(request, "administration/notifications.html", context, status=422 if form.errors else 200)


@never_cache
@require_role("administrator")
def channel(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Change a channel."""
    found = _find(request, pk)
    form = ChannelForm(request.POST if request.method == "POST" else None, initial={name: getattr(found, name) for name in _FIELDS})
    if request.method == "POST" and form.is_valid():
        if _save(request, form, found):
            messages.success(request, f"“{found.name}” was saved.")
            return redirect("administration-notifications")
        found.refresh_from_db()  # the page's heading says what it is, not what it was to become
    context = {
        "channel": found,
        "form": form,
        "signed": found.kind in notify.SIGNED,
        "secrets": _unseen_secrets(request),
        "timezones": sorted(available_timezones()),
    }
    return render(request, "administration/channel.html", context, status=422 if form.errors else 200)


@require_POST
@require_role("administrator")
def deed(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Test a channel, or switch it on or off."""
    found, wanted = _find(request, pk), request.POST.get("deed", "")
    if wanted == "test":
        tried = notify.test_channel(found, actor=request.user.email)
        if tried.state == DeliveryState.DELIVERED:
            messages.success(request, f"A test message went out over “{found.name}”.")
        else:
            messages.error(request, f"The test over “{found.name}” failed: {tried.tries[-1]['error']}")
    elif wanted in {"on", "off"}:
        notify.switch_channel(found, enabled=wanted == "on", actor=request.user.email)
        messages.success(request, f"“{found.name}” is {wanted} now.")
    return redirect("administration-notifications")


@never_cache
@require_role("administrator")
def delete(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Ask, then delete a channel with its log."""
    found = _find(request, pk)
    back = reverse("administration-notifications")
    if request.method != "POST":
        return _ask(request, found, "Delete this channel?", _DELETE, button="Delete", back=back)
    notify.delete_channel(found, actor=request.user.email)
    messages.success(request, f"“{found.name}” was deleted with its log.")
    return _go(request, back)


@never_cache
@require_role("administrator")
def new_secret(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Ask, then replace a webhook's signing secret."""
    found = _find(request, pk)
    back = reverse("administration-channel", kwargs={"pk": pk})
    if request.method != "POST":
        return _ask(request, found, "Make a new signing secret?", _NEW_SECRET, button="Make a new secret", back=back)
    try:
        notify.replace_secret(found, actor=request.user.email)
        _keep_unseen(request, found)
    except ConsentryError as error:
        messages.error(request, f"{error.what} {error.remedy}")
    return _go(request, back)


@require_POST
@require_role("administrator")
def replay(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Send a message once more."""
    found = get_object_or_404(Delivery.objects.select_related("channel"), pk=pk, channel__account=request.user.account)
    notify.replay(found, actor=request.user.email)
    messages.success(request, "It is sent once more, under the same message id.")
    return redirect("administration-notifications")


def _find(request: ConsoleRequest, pk: UUID) -> Channel:
    return get_object_or_404(Channel, pk=pk, account=request.user.account)


def _save(request: ConsoleRequest, form: ChannelForm, found: Channel | None) -> Channel | None:
    fields = {name: form.cleaned_data[name] for name in _FIELDS}
    try:
        saved, secret = notify.save_channel(
            request.user.account, found, actor=request.user.email, address=form.cleaned_data["address"].strip(), **fields
        )
    except ConsentryError as error:
        form.add_error(None, f"{error.what} {error.remedy}")
        return None
    if secret:
        _keep_unseen(request, saved)
    return saved


def _keep_unseen(request: ConsoleRequest, made: Channel) -> None:
    """The session holds the channel only: secrets stay sealed."""
    request.session[_UNSEEN] = [*request.session.get(_UNSEEN, []), str(made.pk)]


def _unseen_secrets(request: ConsoleRequest) -> list[NewSecret]:
    """The secrets that this page shows: those that were made in this session since the last page."""
    unseen = request.session.pop(_UNSEEN, []) if request.method == "GET" else []
    found = Channel.objects.filter(pk__in=unseen, account=request.user.account).order_by("name")
    return [NewSecret(one, str.__str__(notify.signing_secret(one))) for one in found]


def _ask(request: ConsoleRequest, found: Channel, title: str, lines: tuple[Consequence, ...], *, button: str, back: str) -> HttpResponse:
    context = {
        "action": request.path,
        "title": title,
        "subject": found.name,
        "consequences": lines,
        "button": button,
        "danger": True,
        "heading": "Notifications",
        "back": back,
    }
    return render(request, "integrations/confirm.html" if request.htmx else "integrations/confirm_page.html", context)


def _go(request: ConsoleRequest, address: str) -> HttpResponse:
    return HttpResponseClientRedirect(address) if request.htmx else redirect(address)
