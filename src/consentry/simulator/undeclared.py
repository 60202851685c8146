"""Properties that are served although the v1.0 schema does not declare them."""

UNDECLARED = {
    ("servicePrincipal", "createdDateTime"): "returned and filterable in v1.0 though undeclared: the type is open",
    ("agentIdentityBlueprintPrincipal", "createdDateTime"): "as on any other service principal",
    ("servicePrincipal", "publisherName"): "beta only; left out of v1.0 answers",
    ("userIdentity", "userType"): "stands, as null, in the audit answers that Microsoft's documentation shows",
}
