"""The licence check: service plans and SKUs, not one SKU (reference, section 12)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

P1, P2, WORKLOAD_PREMIUM = (
    "41781fb2-bc02-4b7c-bd55-b576c07bb09d",
    "eec0eb4f-6444-4f95-aba0-50c24d67f998",
    "52cdf00e-8303-4223-a749-ff69a13e2dd0",
)
# SKUs that are Microsoft 365 E3, or hold all of it. Source: Microsoft's licensing service plan reference.
E3_OR_ABOVE = {
    "05e9a617-0261-4cee-bb44-138d3ef5d965": "Microsoft 365 E3",
    "0c21030a-7e60-4ec7-9a0f-0042e0e0211a": "Microsoft 365 E3 (500 seats)",
    "dcf0408c-aaec-446c-afd4-43e3683943ea": "Microsoft 365 E3 (no Teams)",
    "c2fe850d-fbbb-4858-b67d-bd0c6e746da3": "Microsoft 365 E3 (EEA)",
    "c2ac2ee4-9bb1-47e4-8541-d689c7e83371": "Microsoft 365 E3 (unattended)",
    "d61d61cc-f992-433f-a577-5bd016037eeb": "Microsoft 365 E3 (DoD)",
    "ca9d1dd9-dfe9-4fef-b97c-9bc1ea3c3658": "Microsoft 365 E3 (GCC High)",
    "e823ca47-49c4-46b3-b38d-ca11d5abe3d2": "Microsoft 365 G3",
    "06ebc4ee-1bb5-47dd-8120-11324bc54e06": "Microsoft 365 E5",
    "c42b9cae-ea4f-4ab7-9717-81576235ccac": "Microsoft 365 E5 Developer",
    "9a18296a-025f-4e37-9ffa-30bf8d1ce775": "Microsoft 365 E7",
}


class _Plan(msgspec.Struct):
    servicePlanId: str = ""  # Microsoft's spelling
    provisioningStatus: str | None = None


class _Sku(msgspec.Struct):
    skuId: str = ""
    skuPartNumber: str | None = None
    capabilityStatus: str | None = None
    servicePlans: list[_Plan] | None = None


class _Skus(msgspec.Struct):
    value: list[_Sku]


def check(answer: bytes, at: datetime) -> dict[str, Any]:
    """What the subscribed SKUs hold: ``{m365_e3, skus, entra_p1, workload_premium, checked_at}``."""
    usable = [sku for sku in msgspec.json.decode(answer, type=_Skus).value if sku.capabilityStatus in {"Enabled", "Warning"}]
    plans = {plan.servicePlanId.lower() for sku in usable for plan in sku.servicePlans or [] if plan.provisioningStatus == "Success"}
    names = [E3_OR_ABOVE[sku.skuId.lower()] for sku in usable if sku.skuId.lower() in E3_OR_ABOVE]
    return {
        "m365_e3": bool(names),
        "skus": names or [sku.skuPartNumber or sku.skuId for sku in usable],
        "entra_p1": P1 in plans or P2 in plans,
        "workload_premium": WORKLOAD_PREMIUM in plans,
        "checked_at": at.isoformat(),
    }
