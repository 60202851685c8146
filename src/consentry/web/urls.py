"""Every address of the console."""

from __future__ import annotations

from django.urls import include, path

from consentry.api.urls import api
from consentry.web import (
    administration,
    alerts,
    authorise,
    dashboard,
    decisions,
    details,
    errors,
    health,
    integrations,
    lists,
    plugin,
    plugins,
    progress,
    registrations,
    removal,
    setup,
)

_UUID = "<uuid:pk>"
urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path(".well-known/security.txt", health.security_txt),
    path("api/v1/", api.urls),
    path("setup/<str:token>/", setup.first_start, name="setup"),
    path("accounts/", include("allauth.urls")),
    path("", dashboard.dashboard, name="dashboard"),
    path("plugins/", plugins.plugins, name="plugins"),
    path("plugins/columns/", plugins.columns, name="plugins-columns"),
    path("plugins/decide/", decisions.decide_many, name="plugins-decide"),
    path("plugins/decide/undo/", decisions.undo, name="plugins-undo"),
    path("plugins/export.<str:form>", plugins.export, name="plugins-export"),
    path(f"plugins/{_UUID}/", plugin.plugin, name="plugin"),
    path(f"plugins/{_UUID}/decision/", decisions.decide, name="plugin-decide"),
    path("alerts/", alerts.alerts, name="alerts"),
    path(f"alerts/{_UUID}/", alerts.alert, name="alert"),
    path(f"alerts/{_UUID}/change/", alerts.change, name="alert-change"),
    path("policies/", alerts.policies, name="policies"),
    path("policies/<slug:key>/switch/", alerts.switch, name="policy-switch"),
    path("permissions/", lists.permissions, name="permissions"),
    path("people/", lists.people, name="people"),
    path(f"people/{_UUID}/", lists.person, name="person"),
    path("changes/", lists.changes, name="changes"),
    path("connect/microsoft/return", authorise.microsoft_return, name="microsoft-return"),
    path(f"connect/attempts/{_UUID}/", authorise.attempt, name="attempt"),
    path(f"syncs/{_UUID}/progress", progress.progress, name="sync-progress"),
    path("integrations/", integrations.index, name="integrations"),
    path("integrations/table/<str:tab>/", integrations.table, name="integrations-table"),
    path("integrations/connectors/new/", integrations.connector_new, name="connector-new"),
    path(f"integrations/connectors/{_UUID}/", integrations.connector, name="connector"),
    path(f"integrations/connectors/{_UUID}/authorise/", authorise.connector_authorise, name="connector-authorise"),
    path(f"integrations/connectors/{_UUID}/details/", details.connector_details),
    path(f"integrations/connectors/{_UUID}/edit/", integrations.connector_edit),
    path(f"integrations/connectors/{_UUID}/disconnect/", removal.connector_disconnect),
    path(f"integrations/connectors/{_UUID}/delete/", removal.connector_delete),
    path(f"integrations/connectors/{_UUID}/sync/", integrations.connector_sync, name="connector-sync"),
    path("integrations/new/", integrations.integration_new, name="integration-new"),
    path(f"integrations/{_UUID}/", integrations.integration, name="integration"),
    path(f"integrations/{_UUID}/authorise/", authorise.integration_authorise, name="integration-authorise"),
    path(f"integrations/{_UUID}/details/", details.integration_details),
    path(f"integrations/{_UUID}/edit/", integrations.integration_edit),
    path(f"integrations/{_UUID}/disconnect/", removal.integration_disconnect),
    path(f"integrations/{_UUID}/delete/", removal.integration_delete),
    path("administration/registrations/", registrations.index, name="administration-registrations"),
    path("administration/registrations/<str:role>/", registrations.save, name="administration-registration"),
    path("administration/registrations/<str:role>/check/", registrations.check, name="administration-registration-check"),
    path("administration/people/", administration.people, name="administration-people"),
    path(f"administration/people/{_UUID}/role/", administration.change_role, name="administration-role"),
    path(f"administration/people/{_UUID}/active/", administration.set_active, name="administration-active"),
    path(f"administration/people/{_UUID}/link/", administration.new_link, name="administration-link"),
    path("administration/tokens/", administration.tokens, name="administration-tokens"),
    path(f"administration/tokens/{_UUID}/revoke/", administration.revoke_token, name="administration-token-revoke"),
    path("administration/licence/", administration.licence, name="administration-licence"),
    path("administration/audit/", administration.audit_trail, name="administration-audit"),
]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
