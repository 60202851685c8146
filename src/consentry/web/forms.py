"""The forms of the Integrations and Administration pages. They check shape; services check sense."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from consentry.accounts.models import Role
from consentry.connect.models import Connector, Status
from consentry.notify.models import ChannelKind, Pace, Severity


class ConnectorForm(forms.Form):
    """The panel "New Connector"."""

    kind = forms.ChoiceField(choices=[("ms_tenant", "MS Tenant")], initial="ms_tenant", error_messages={"required": "Choose a connector."})
    name = forms.CharField(
        label="Connector Name",
        max_length=200,
        error_messages={"required": "Give the connector a name."},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    tenant_hint = forms.CharField(
        label="Tenant ID or domain",
        max_length=253,
        required=False,
        help_text="Needed only when the app registration was made for one tenant. For example contoso.onmicrosoft.com.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class ConnectorEditForm(forms.Form):
    """The panel "Edit" of a connector."""

    name = forms.CharField(label="Connector Name", max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    tenant_hint = forms.CharField(label="Tenant ID or domain", max_length=253, required=False)


class ConnectorSelect(forms.Select):
    """The tenants to choose from; those that are not connected yet can be seen but not chosen."""

    def __init__(self, blocked: frozenset[str]) -> None:
        super().__init__()
        self.blocked = blocked

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(name, value, *args, **kwargs)
        if str(value) in self.blocked:
            option["attrs"]["disabled"] = True
        return option


class IntegrationForm(forms.Form):
    """The panel "New Integration"."""

    saas_application = forms.ChoiceField(
        label="SaaS application", choices=[("", "Select an application"), ("Microsoft 365", "Microsoft 365")]
    )
    capability = forms.ChoiceField(choices=[("third_party_apps", "3rd Party Apps")], error_messages={"required": "Choose 3rd Party Apps."})
    connector = forms.ChoiceField()
    description = forms.CharField(label="Description", required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, data: Any, connectors: Iterable[Connector]) -> None:
        listed = list(connectors)
        ready = [connector for connector in listed if connector.tenant_id is not None]
        first = str(ready[0].pk) if len(ready) == 1 else ""
        super().__init__(data, initial={"saas_application": "Microsoft 365", "capability": "third_party_apps", "connector": first})
        blocked = frozenset(str(c.pk) for c in listed if c.tenant_id is None)
        self.fields["connector"] = forms.ChoiceField(
            label="Microsoft Primary Tenant",
            choices=[("", "Select a tenant"), *((str(c.pk), _connector_choice(c)) for c in listed)],
            widget=ConnectorSelect(blocked),
            help_text="The connector made in step 1.",
            error_messages={"required": "Select the tenant."},
        )


def _connector_choice(connector: Connector) -> str:
    if connector.tenant_id is None:
        return f"{connector.name} ({Status.PENDING.label})"
    return (
        f"{connector.name} ({connector.tenant_name})"
        if connector.tenant_name and connector.tenant_name != connector.name
        else connector.name
    )


class IntegrationEditForm(forms.Form):
    """The panel "Edit" of an integration."""

    description = forms.CharField(label="Description", required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))
    sync_every_minutes = forms.IntegerField(
        label="Sync every (minutes)",
        min_value=5,
        max_value=10080,
        help_text="Between 5 minutes and a week. After the first sync only what changed is read, so a short time costs little.",
    )


class RegistrationForm(forms.Form):
    """One app registration of ours."""

    client_id = forms.RegexField(
        label="Application (client) ID",
        regex=r"^\s*[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\s*$",
        error_messages={"invalid": "An application id looks like 00000000-0000-0000-0000-000000000000."},
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
    )
    client_secret = forms.CharField(
        label="Client secret",
        required=False,
        help_text="The secret's value, not its id. Leave empty to keep the stored one, or when you use a certificate.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    certificate_pem = forms.CharField(
        label="Certificate (PEM)", required=False, widget=forms.Textarea(attrs={"rows": 3, "class": "pem", "spellcheck": "false"})
    )
    private_key_pem = forms.CharField(
        label="Private key (PEM)",
        required=False,
        help_text="Stored encrypted and never shown again.",
        widget=forms.Textarea(attrs={"rows": 3, "class": "pem", "spellcheck": "false", "autocomplete": "off"}),
    )
    tenant_hint = forms.CharField(
        label="Only for this tenant", required=False, max_length=253, help_text="Id or domain, when the registration is not multi-tenant."
    )


class PersonForm(forms.Form):
    """Somebody new."""

    email = forms.EmailField(label="E-mail", widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    name = forms.CharField(label="Name", max_length=200, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    role = forms.ChoiceField(label="Role", choices=Role.choices, initial=Role.VIEWER)


class RoleForm(forms.Form):
    """Another role for somebody."""

    role = forms.ChoiceField(label="Role", choices=Role.choices)


class TokenForm(forms.Form):
    """A new API token."""

    name = forms.CharField(
        label="Name",
        max_length=200,
        help_text="What uses it, for example the name of a script.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    role = forms.ChoiceField(label="Role", choices=[choice for choice in Role.choices if choice[0] != Role.OWNER], initial=Role.VIEWER)


class LicenceForm(forms.Form):
    """The CASB licence of the account."""

    until = forms.DateField(
        label="Until", required=False, help_text="Last day. Empty: without an end.", widget=forms.DateInput(attrs={"type": "date"})
    )


class ChannelForm(forms.Form):
    """A way to tell somebody. For a channel that is there, an empty address keeps the stored one."""

    kind = forms.ChoiceField(label="Kind", choices=ChannelKind.choices)
    name = forms.CharField(label="Name", max_length=120, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    address = forms.CharField(
        label="Address",
        required=False,
        max_length=2000,
        help_text="https://… for a webhook, tls://host:6514 for syslog, and what apprise knows for the rest: mailtos://, slack://, msteams://. Stored encrypted.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    least_severity = forms.ChoiceField(label="From severity", choices=Severity.choices, initial=Severity.MEDIUM)
    pace = forms.ChoiceField(
        label="How often",
        choices=Pace.choices,
        help_text="Together is for mail and chats; daily means at eight. What is critical leaves at once.",
    )
    quiet_from = forms.TimeField(label="Quiet from", required=False, widget=forms.TimeInput(attrs={"type": "time"}))
    quiet_until = forms.TimeField(
        label="Quiet until",
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}),
        help_text="Both or neither. What is critical comes through.",
    )
    timezone = forms.CharField(label="Time zone", max_length=60, initial="UTC", widget=forms.TextInput(attrs={"list": "timezones"}))

    def __init__(self, *args: Any, new: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["address"].required = new
