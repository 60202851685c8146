"""Administration: people and roles, API tokens, the licence and the audit trail."""

from __future__ import annotations

from uuid import UUID

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from consentry.accounts import services as accounts
from consentry.accounts.models import ApiToken, Person, Role
from consentry.audit.models import AuditEvent
from consentry.connect.models import Connector
from consentry.core.errors import ConsentryError
from consentry.web import audit_words
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.forms import LicenceForm, PersonForm, RoleForm, TokenForm
from consentry.web.labels import licence_sign

AUDIT_PAGE = 50


@never_cache
@require_role("administrator")
def people(request: ConsoleRequest) -> HttpResponse:
    """Everybody who may sign in; adding somebody answers with a one-time link to hand over."""
    form = PersonForm(request.POST if request.method == "POST" else None)
    link = ""
    if request.method == "POST" and form.is_valid():
        fields = form.cleaned_data
        try:
            _may_give(request, fields["role"])
            person, _ = accounts.add_person(
                request.user.account, fields["email"], role=fields["role"], name=fields["name"], actor=request.user.email
            )
        except ConsentryError as error:
            form.add_error(None, f"{error.what} {error.remedy}")
        else:
            link = one_time_link(person)
            form = PersonForm()
    listed = Person.objects.filter(account=request.user.account).order_by("-is_active", "email")
    context = {"people": [(person, RoleForm(initial={"role": person.role})) for person in listed], "form": form, "link": link}
    return render(request, "administration/people.html", context, status=422 if form.errors else 200)


def one_time_link(person: Person) -> str:
    """A link that lets ``person`` choose a password, once: it ends with the password's next change, or after three days."""
    key = f"{user_pk_to_url_str(person)}-{default_token_generator.make_token(person)}"
    uid, _, rest = key.partition("-")
    return f"{settings.BASE_URL}{reverse('account_reset_password_from_key', kwargs={'uidb36': uid, 'key': rest})}"


def _may_give(request: ConsoleRequest, role: str) -> None:
    if role == Role.OWNER and not request.user.may(Role.OWNER):
        raise PermissionDenied(Role.OWNER)


def _colleague(request: ConsoleRequest, pk: UUID) -> Person:
    person = get_object_or_404(Person, pk=pk, account=request.user.account)
    _may_give(request, person.role)
    return person


@require_POST
@require_role("administrator")
def change_role(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Give somebody another role."""
    person = _colleague(request, pk)
    form = RoleForm(request.POST)
    if form.is_valid():
        _may_give(request, form.cleaned_data["role"])
        try:
            accounts.change_role(person, form.cleaned_data["role"], actor=request.user.email)
            messages.success(request, f"{person.email} is {Role(form.cleaned_data['role']).label.lower()} now.")
        except ConsentryError as error:
            messages.error(request, f"{error.what} {error.remedy}")
    return redirect("administration-people")


@require_POST
@require_role("administrator")
def set_active(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Deactivate somebody, or let them in again."""
    person = _colleague(request, pk)
    active = request.POST.get("active") == "yes"
    try:
        accounts.set_active(person, active, actor=request.user.email)
        messages.success(request, f"{person.email} can {'sign in again' if active else 'no longer sign in'}.")
    except ConsentryError as error:
        messages.error(request, f"{error.what} {error.remedy}")
    return redirect("administration-people")


@never_cache
@require_POST
@require_role("administrator")
def new_link(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """A new one-time link for somebody who forgot the password."""
    person = _colleague(request, pk)
    return render(request, "administration/link.html", {"person": person, "link": one_time_link(person)})


@never_cache
@require_role("administrator")
def tokens(request: ConsoleRequest) -> HttpResponse:
    """API tokens; a new one's text is shown this once."""
    form = TokenForm(request.POST if request.method == "POST" else None)
    text = ""
    if request.method == "POST" and form.is_valid():
        fields = form.cleaned_data
        _, text = accounts.create_token(request.user.account, name=fields["name"], role=fields["role"], actor=request.user.email)
        form = TokenForm()
    listed = ApiToken.objects.filter(account=request.user.account).order_by("revoked_at", "-created_at")
    return render(request, "administration/tokens.html", {"tokens": listed, "form": form, "text": text}, status=422 if form.errors else 200)


@require_POST
@require_role("administrator")
def revoke_token(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """End a token at once."""
    token = get_object_or_404(ApiToken, pk=pk, account=request.user.account)
    accounts.revoke_token(request.user.account, token.pk, actor=request.user.email)
    messages.success(request, f"The token {token.name} was revoked. Whatever uses it is refused from now on.")
    return redirect("administration-tokens")


@require_role("viewer")
def licence(request: ConsoleRequest) -> HttpResponse:
    """The account's CASB licence, and what each tenant's Microsoft licences allow."""
    account = request.user.account
    form = LicenceForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        if not request.user.may(Role.OWNER):
            raise PermissionDenied(Role.OWNER)
        if request.POST.get("deed") == "revoke":
            accounts.revoke_casb(account, actor=request.user.email)
            messages.warning(request, "The CASB licence was revoked. Nothing is collected from now on.")
            return redirect("administration-licence")
        if form.is_valid():
            accounts.grant_casb(account, until=form.cleaned_data["until"], actor=request.user.email)
            messages.success(request, "The CASB licence was granted.")
            return redirect("administration-licence")
    connectors = Connector.objects.filter(account=account, tenant_id__isnull=False).order_by("name")
    context = {
        "entitlement": accounts.casb(account),
        "in_force": accounts.has_casb(account),
        "form": form,
        "may_grant": request.user.may(Role.OWNER),
        "tenants": [(connector, licence_sign(connector.licence)) for connector in connectors],
    }
    return render(request, "administration/licence.html", context, status=422 if form.errors else 200)


@require_role("administrator")
def audit_trail(request: ConsoleRequest) -> HttpResponse:
    """What people and the product did, newest first."""
    events = AuditEvent.objects.filter(account=request.user.account).order_by("-at", "-pk")
    page = Paginator(events, AUDIT_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "entries": audit_words.entries(request.user.account, page.object_list)}
    return render(request, "administration/audit.html", context)
