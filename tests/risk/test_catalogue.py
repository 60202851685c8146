"""What the catalogue says of permissions, known and invented."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.risk.catalogue import judge

# Ways to become a global administrator; a check by public research on attack paths, not our source
TIER_0 = (
    "AdministrativeUnit.ReadWrite.All",
    "Application.ReadUpdate.All",
    "Application.ReadWrite.All",
    "Application.ReadWrite.OwnedBy",
    "AppRoleAssignment.ReadWrite.All",
    "DelegatedAdminRelationship.ReadWrite.All",
    "DeviceManagementConfiguration.ReadWrite.All",
    "DeviceManagementRBAC.ReadWrite.All",
    "DeviceManagementScripts.ReadWrite.All",
    "Directory.ReadWrite.All",
    "Domain.ReadWrite.All",
    "EntitlementManagement.ReadWrite.All",
    "Group-OnPremisesSyncBehavior.ReadWrite.All",
    "Group.ReadWrite.All",
    "GroupMember.ReadWrite.All",
    "Organization.ReadWrite.All",
    "Policy.ReadWrite.AuthenticationMethod",
    "Policy.ReadWrite.ConditionalAccess",
    "Policy.ReadWrite.PermissionGrant",
    "PrivilegedAccess.ReadWrite.AzureAD",
    "PrivilegedAccess.ReadWrite.AzureADGroup",
    "PrivilegedAccess.ReadWrite.AzureResources",
    "PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup",
    "PrivilegedEligibilitySchedule.ReadWrite.AzureADGroup",
    "RoleAssignmentSchedule.ReadWrite.Directory",
    "RoleEligibilitySchedule.ReadWrite.Directory",
    "RoleManagement.ReadWrite.Directory",
    "RoleManagementPolicy.ReadWrite.AzureADGroup",
    "RoleManagementPolicy.ReadWrite.Directory",
    "SecurityIdentitiesActions.ReadWrite.All",
    "SignInIdentifier.ReadWrite.All",
    "Synchronization.ReadWrite.All",
    "User.DeleteRestore.All",
    "User.EnableDisableAccount.All",
    "User.ReadWrite.All",
    "User-PasswordProfile.ReadWrite.All",
    "UserAuthenticationMethod.ReadWrite.All",
    "UserAuthMethod-HardwareOATH.ReadWrite.All",
    "UserAuthMethod-Phone.ReadWrite.All",
    "UserAuthMethod-QR.ReadWrite.All",
    "UserAuthMethod-TAP.ReadWrite.All",
)
LEVELS = ["none", "low", "medium", "high", "critical"]


@pytest.mark.parametrize("value", TIER_0)
def test_ways_to_take_over_are_at_the_top(value: str) -> None:
    judged = judge(value, kind="application")
    assert judged.takeover == 10
    assert judged.level == "critical"
    assert judge(value, kind="delegated").takeover < judged.takeover


@pytest.mark.parametrize(
    ("value", "kind", "level"),
    [
        ("openid", "delegated", "low"),
        ("User.Read", "delegated", "low"),
        ("offline_access", "delegated", "low"),
        ("Files.ReadWrite.AppFolder", "delegated", "low"),
        ("Sites.Selected", "application", "medium"),
        ("User.ReadBasic.All", "delegated", "low"),
        ("Calendars.Read", "delegated", "low"),
        ("Mail.Read", "delegated", "medium"),
        ("Mail.ReadWrite", "application", "critical"),
        ("Mail.Read", "application", "high"),
        ("Files.ReadWrite.All", "application", "critical"),
        ("Chat.Read.All", "application", "high"),
        ("full_access_as_app", "application", "critical"),
        ("RoleManagement.ReadWrite.Directory", "delegated", "high"),
        ("RoleManagement.Read.Directory", "delegated", "medium"),
        ("Directory.Read.All", "delegated", "medium"),
        ("AuditLog.Read.All", "delegated", "medium"),
        ("OrgSettings-Forms.ReadWrite.All", "application", "medium"),
        ("TeamSettings.Read.Group", "application", "low"),
        ("ChannelMessage.Read.Group", "application", "low"),
        ("TeamsActivity.Send.User", "application", "low"),
        ("BackupRestore-Restore.ReadWrite.All", "application", "critical"),
        ("BackupRestore-Restore.Read.All", "application", "high"),
        ("RecordsManagement.Read.All", "application", "high"),
        ("TeamsAppInstallation.ReadWriteAndConsentForUser.All", "application", "high"),
        ("TeamsAppInstallation.ReadWriteSelfForUser", "delegated", "low"),
        ("AccessReview.ReadWrite.All", "delegated", "high"),
        ("AccessReview.ReadWrite.Membership", "delegated", "medium"),
        ("ChannelMember.ReadWrite.All", "delegated", "high"),
        ("Policy.ReadWrite.AuthenticationFlows", "delegated", "high"),
        ("Group.ReadWrite.All", "delegated", "high"),
    ],
)
def test_levels_of_well_known_permissions(value: str, kind: str, level: str) -> None:
    assert judge(value, kind=kind).level == level


@pytest.mark.parametrize("stem", ["Mail", "Files", "Sites", "Calendars", "Contacts", "User", "Group", "Chat", "Notes", "Tasks"])
@pytest.mark.parametrize("kind", ["delegated", "application"])
def test_more_is_never_less(stem: str, kind: str) -> None:
    """Writing is at least as much as reading, everybody's at least as much as one's own, the app's own at least as much as a person's."""
    read, write = judge(f"{stem}.Read", kind=kind), judge(f"{stem}.ReadWrite", kind=kind)
    everything = judge(f"{stem}.ReadWrite.All", kind=kind)
    assert read.data <= write.data
    assert max(write.data, write.takeover) <= max(everything.data, everything.takeover)
    assert judge(f"{stem}.Read", kind="delegated").data <= judge(f"{stem}.Read", kind="application").data


@pytest.mark.parametrize("value", ["RoleManagement.Read.All", "RecordsManagement.Read.All", "User-Mail.Read.All", "Device.Read"])
def test_reading_what_is_called_management_changes_nothing(value: str) -> None:
    assert not judge(value, kind="application").changes
    assert judge(value.replace("Read", "ReadWrite"), kind="application").changes


def test_the_same_name_elsewhere_takes_nothing_over() -> None:
    assert judge("Application.ReadWrite.All", kind="application", resource_app_id="11111111-2222-3333-4444-555555555555").takeover == 0


@given(
    st.text(max_size=60), st.sampled_from(["delegated", "application"]), st.sampled_from(["", "x", "00000002-0000-0ff1-ce00-000000000000"])
)
def test_anything_gets_a_level_and_a_sentence(value: str, kind: str, resource: str) -> None:
    judged = judge(value, kind=kind, resource_app_id=resource)
    assert 0 <= judged.takeover <= 10
    assert 0 <= judged.data <= 10
    assert judged.level in LEVELS
    assert judged.sentence.endswith(".")
    assert judged.service


def test_well_known_permissions_are_told_in_our_own_words_by_who_acts() -> None:
    person, itself = judge("Mail.ReadWrite", kind="delegated"), judge("Mail.ReadWrite", kind="application")
    assert "the person's mail" in person.sentence
    assert "every mailbox" in itself.sentence
    assert not person.inferred
    invented = judge("FutureThing.ReadWrite.All", kind="application")
    assert invented.inferred
    assert invented.sentence == "Read and change future things of the whole organisation, by itself, without anybody signed in."


def test_the_same_name_elsewhere_is_not_told_in_words_of_graph() -> None:
    elsewhere = judge("Files.Read.All", kind="application", resource_app_id="11111111-2222-3333-4444-555555555555")
    assert elsewhere.inferred
    assert "OneDrive" not in elsewhere.sentence
    assert not judge("user_impersonation", kind="delegated", resource_app_id="11111111-2222-3333-4444-555555555555").inferred
