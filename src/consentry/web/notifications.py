"""Administration > Notifications: channels, a test button for each, and the delivery log."""

from __future__ import annotations

from uuid import UUID
from zoneinfo import available_timezones

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from consentry.core.errors import ConsentryError
from consentry.notify import services as notify
from consentry.notify.models import Channel, Delivery, DeliveryState
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.forms import ChannelForm

_PAGE = 25
_FIELDS = ("kind", "name", "least_severity", "pace", "quiet_from", "quiet_until", "timezone")


@never_cache
@require_role("administrator")
def index(request: ConsoleRequest) -> HttpResponse:
    """The page; a new channel's signing secret is shown this once."""
    form = ChannelForm(request.POST if request.method == "POST" else None, new=True)
    if request.method == "POST" and form.is_valid() and (made := _save(request, form, None)):
        return _page(request, ChannelForm(new=True), secret=made)
    return _page(request, form)


def _page(request: ConsoleRequest, form: ChannelForm, *, secret: tuple[Channel, str | None] | None = None) -> HttpResponse:
    listed = []
    for channel in notify.channels(request.user.account):
        last = channel.deliveries.order_by("-created_at").first()
        listed.append(
            {"channel": channel, "last": last, "failing": last is not None and bool(last.tries) and bool(last.tries[-1]["error"])}
        )
    log = Delivery.objects.filter(channel__account=request.user.account).select_related("channel").order_by("-created_at")
    context = {
        "channels": listed,
        "form": form,
        "made": secret,
        "page": Paginator(log, _PAGE).get_page(request.GET.get("page")),
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
    if request.method == "POST" and form.is_valid() and _save(request, form, found):
        messages.success(request, f"“{found.name}” was saved.")
        return redirect("administration-notifications")
    context = {"channel": found, "form": form, "timezones": sorted(available_timezones())}
    return render(request, "administration/channel.html", context, status=422 if form.errors else 200)


@require_POST
@require_role("administrator")
def deed(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Test, switch on or off, or delete a channel."""
    found, wanted = _find(request, pk), request.POST.get("deed", "")
    if wanted == "test":
        tried = notify.test_channel(found, actor=request.user.email)
        if tried.state == DeliveryState.DELIVERED:
            messages.success(request, f"A test message went out over “{found.name}”.")
        else:
            messages.error(request, f"The test over “{found.name}” failed: {tried.tries[-1]['error']} Check the address.")
    elif wanted in {"on", "off"}:
        notify.switch_channel(found, enabled=wanted == "on", actor=request.user.email)
        messages.success(request, f"“{found.name}” is {wanted} now.")
    elif wanted == "delete":
        notify.delete_channel(found, actor=request.user.email)
        messages.success(request, f"“{found.name}” was deleted with its log.")
    return redirect("administration-notifications")


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


def _save(request: ConsoleRequest, form: ChannelForm, found: Channel | None) -> tuple[Channel, str | None] | None:
    fields = {name: form.cleaned_data[name] for name in _FIELDS}
    try:
        return notify.save_channel(
            request.user.account, found, actor=request.user.email, address=form.cleaned_data["address"].strip(), **fields
        )
    except ConsentryError as error:
        form.add_error(None, f"{error.what} {error.remedy}")
        return None
