"""The first start: the one-time link that makes the owner."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import login
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache

from consentry.accounts import services as accounts
from consentry.core.errors import ConsentryError


class OwnerForm(forms.Form):
    """Who owns this installation."""

    organisation = forms.CharField(label="Organisation", max_length=200, required=False, help_text="Shown beside your name.")
    name = forms.CharField(label="Your name", max_length=200, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    email = forms.EmailField(label="E-mail", widget=forms.EmailInput(attrs={"autocomplete": "username"}))
    password = forms.CharField(
        label="Password",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 12 characters. A sentence is a good one.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("password"):
            try:
                validate_password(cleaned["password"])
            except ValidationError as error:
                self.add_error("password", error)
        return cleaned


@never_cache
def first_start(request: HttpRequest, token: str) -> HttpResponse:
    """Make the owner and sign in. A used, expired or unknown link says how to get another."""
    if not accounts.setup_link_valid(token):
        return render(request, "account/setup_used.html", status=410)
    form = OwnerForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        fields = form.cleaned_data
        try:
            person = accounts.use_setup_link(
                token, email=fields["email"], name=fields["name"], password=fields["password"], organisation=fields["organisation"]
            )
        except ConsentryError as error:
            form.add_error(None, f"{error.what} {error.remedy}")
        else:
            login(request, person, backend="allauth.account.auth_backends.AuthenticationBackend")
            return redirect("/integrations/?tab=integrated")
    return render(request, "account/setup.html", {"form": form}, status=422 if form.errors else 200)
