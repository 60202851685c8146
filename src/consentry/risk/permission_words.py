"""What the best-known permissions let an app do, in one plain sentence of ours. Data: by value, in lower case."""

from __future__ import annotations

# One sentence for both kinds, or one for an app that acts for a person and one for an app by itself
SENTENCES: dict[str, str | tuple[str, str]] = {
    "mail.read": (
        "Read the person's mail with its attachments.",
        "Read all mail of everybody with its attachments, by itself, without anybody signed in.",
    ),
    "mail.readbasic": (
        "Read who writes to the person and about what, without the text of the mail.",
        "Read who writes to whom and about what, without the text of the mail, by itself, without anybody signed in.",
    ),
    "mail.readbasic.all": (
        "Read who writes to the person and about what, without the text of the mail.",
        "Read who writes to whom and about what, without the text of the mail, by itself, without anybody signed in.",
    ),
    "mail.readwrite": (
        "Read, write, move and delete the person's mail.",
        "Read, write, move and delete mail in every mailbox, by itself, without anybody signed in.",
    ),
    "mail.send": ("Send mail as the person.", "Send mail as anybody of the organisation, by itself, without anybody signed in."),
    "mail.read.shared": (
        "Read the mail of the person and of mailboxes that others share with them.",
        "Read shared mail, by itself, without anybody signed in.",
    ),
    "mail.readwrite.shared": (
        "Read, write and delete the mail of the person and of mailboxes that others share with them.",
        "Read, write and delete shared mail, by itself, without anybody signed in.",
    ),
    "mail.send.shared": (
        "Send mail as the person and for mailboxes that others share with them.",
        "Send mail for shared mailboxes, by itself, without anybody signed in.",
    ),
    "mailboxsettings.read": (
        "Read the settings of the person's mailbox, such as automatic replies.",
        "Read the settings of every mailbox, such as automatic replies, by itself, without anybody signed in.",
    ),
    "mailboxsettings.readwrite": (
        "Change the settings of the person's mailbox and its rules, such as those that move mail away.",
        "Change the settings and rules of every mailbox, such as those that move mail away, by itself, without anybody signed in.",
    ),
    "calendars.read": ("Read the person's calendar.", "Read everybody's calendar, by itself, without anybody signed in."),
    "calendars.readwrite": (
        "Read and change the person's calendar, and invite others.",
        "Read and change everybody's calendar, and invite others, by itself, without anybody signed in.",
    ),
    "calendars.read.shared": (
        "Read the person's calendar and those that others share with them.",
        "Read shared calendars, by itself, without anybody signed in.",
    ),
    "contacts.read": ("Read the person's address book.", "Read everybody's address book, by itself, without anybody signed in."),
    "contacts.readwrite": (
        "Read and change the person's address book.",
        "Read and change everybody's address book, by itself, without anybody signed in.",
    ),
    "people.read": ("Read whom the person works with most.", "Read whom everybody works with most, by itself, without anybody signed in."),
    "people.read.all": (
        "Read whom everybody works with most.",
        "Read whom everybody works with most, by itself, without anybody signed in.",
    ),
    "files.read": ("Read the person's own files.", "Read files, by itself, without anybody signed in."),
    "files.readwrite": (
        "Read, change and delete the person's own files.",
        "Read, change and delete files, by itself, without anybody signed in.",
    ),
    "files.read.all": (
        "Read every file that the person can open.",
        "Read every file in SharePoint and everybody's OneDrive, by itself, without anybody signed in.",
    ),
    "files.readwrite.all": (
        "Read, change and delete every file that the person can open.",
        "Read, change and delete every file in SharePoint and everybody's OneDrive, by itself, without anybody signed in.",
    ),
    "files.readwrite.appfolder": (
        "Keep files in a folder of its own.",
        "Keep files in a folder of its own, by itself, without anybody signed in.",
    ),
    "sites.read.all": (
        "Read every site and document that the person can open.",
        "Read every site and document, by itself, without anybody signed in.",
    ),
    "sites.readwrite.all": (
        "Read, change and delete documents and lists in every site that the person can open.",
        "Read, change and delete documents and lists in every site, by itself, without anybody signed in.",
    ),
    "sites.manage.all": (
        "Make, change and delete lists and libraries in every site that the person can open.",
        "Make, change and delete lists and libraries in every site, by itself, without anybody signed in.",
    ),
    "sites.fullcontrol.all": (
        "Do everything in every site where the person may, its access rights included.",
        "Do everything in every site, its access rights included, by itself, without anybody signed in.",
    ),
    "allsites.read": (
        "Read every site and document that the person can open.",
        "Read every site and document, by itself, without anybody signed in.",
    ),
    "allsites.write": (
        "Read and change documents in every site that the person can open.",
        "Read and change documents in every site, by itself, without anybody signed in.",
    ),
    "allsites.manage": (
        "Make, change and delete lists and libraries in every site that the person can open.",
        "Make, change and delete lists and libraries in every site, by itself, without anybody signed in.",
    ),
    "allsites.fullcontrol": (
        "Do everything in every site where the person may, its access rights included.",
        "Do everything in every site, its access rights included, by itself, without anybody signed in.",
    ),
    "notes.read.all": ("Read every notebook that the person can open.", "Read every notebook, by itself, without anybody signed in."),
    "notes.readwrite.all": (
        "Read and change every notebook that the person can open.",
        "Read and change every notebook, by itself, without anybody signed in.",
    ),
    "chat.read": ("Read the person's chats.", "Read chats, by itself, without anybody signed in."),
    "chat.readwrite": (
        "Read the person's chats, and write in them as that person.",
        "Read chats and write in them, by itself, without anybody signed in.",
    ),
    "chat.read.all": ("Read all chats of everybody.", "Read all chats of everybody, by itself, without anybody signed in."),
    "chat.readwrite.all": (
        "Read and write in all chats of everybody.",
        "Read and write in all chats of everybody, by itself, without anybody signed in.",
    ),
    "channelmessage.read.all": (
        "Read every message in channels where the person is.",
        "Read every message in every channel of Teams, by itself, without anybody signed in.",
    ),
    "channelmessage.send": ("Write in channels as the person.", "Write in channels, by itself, without anybody signed in."),
    "onlinemeetings.read": ("Read the person's meetings.", "Read everybody's meetings, by itself, without anybody signed in."),
    "onlinemeetings.readwrite": (
        "Make and change meetings of the person.",
        "Make and change meetings for anybody, by itself, without anybody signed in.",
    ),
    "onlinemeetingtranscript.read.all": (
        "Read what was said in the person's meetings.",
        "Read what was said in every meeting that was transcribed, by itself, without anybody signed in.",
    ),
    "onlinemeetingrecording.read.all": (
        "Watch recordings of the person's meetings.",
        "Watch every meeting that was recorded, by itself, without anybody signed in.",
    ),
    "callrecords.read.all": ("Read who called whom, and when.", "Read who called whom, and when, by itself, without anybody signed in."),
    "calls.accessmedia.all": (
        "Listen to calls that it takes part in.",
        "Listen to calls that it takes part in, by itself, without anybody signed in.",
    ),
    "user.readwrite": ("Read and change the person's own profile.", "Read and change profiles, by itself, without anybody signed in."),
    "user.read.all": (
        "Read the full profiles of everybody, as far as the person may.",
        "Read the full profiles of everybody, by itself, without anybody signed in.",
    ),
    "user.readbasic.all": (
        "See the names and mail addresses of everybody.",
        "See the names and mail addresses of everybody, by itself, without anybody signed in.",
    ),
    "user.readwrite.all": (
        "Change everybody's profile, as far as the person may.",
        "Change everybody's profile, and delete accounts, by itself, without anybody signed in.",
    ),
    "user.invite.all": ("Invite guests as the person.", "Invite guests into the directory, by itself, without anybody signed in."),
    "user.export.all": (
        "Take out all data that Microsoft holds of a person.",
        "Take out all data that Microsoft holds of a person, by itself, without anybody signed in.",
    ),
    "user.enabledisableaccount.all": (
        "Switch accounts on and off.",
        "Switch anybody's account on and off, by itself, without anybody signed in.",
    ),
    "user-passwordprofile.readwrite.all": (
        "Set passwords, as far as the person may.",
        "Set passwords of others, by itself, without anybody signed in.",
    ),
    "userauthenticationmethod.read.all": (
        "Read with which methods people prove who they are.",
        "Read with which methods everybody proves who they are, by itself, without anybody signed in.",
    ),
    "userauthenticationmethod.readwrite.all": (
        "Add and remove ways in which people prove who they are, so sign in as them.",
        "Add and remove ways in which people prove who they are, so sign in as them, by itself, without anybody signed in.",
    ),
    "group.read.all": (
        "Read every group that the person can see, with its conversations and files.",
        "Read every group with its members, conversations and files, by itself, without anybody signed in.",
    ),
    "group.readwrite.all": (
        "Change every group that the person may: members, owners, conversations.",
        "Change every group: members, owners, conversations, and the access that membership gives, by itself, without anybody signed in.",
    ),
    "groupmember.read.all": ("Read who is in which group.", "Read who is in which group, by itself, without anybody signed in."),
    "groupmember.readwrite.all": (
        "Change who is in which group, as far as the person may.",
        "Change who is in which group, so who has the access that it gives, by itself, without anybody signed in.",
    ),
    "directory.read.all": (
        "Read the whole directory, as far as the person may: people, groups, apps, devices.",
        "Read the whole directory: people, groups, apps, devices, roles, by itself, without anybody signed in.",
    ),
    "directory.readwrite.all": (
        "Change the directory, as far as the person may: people, groups, apps.",
        "Change the directory: people, groups, apps and what they may do, by itself, without anybody signed in.",
    ),
    "application.read.all": (
        "Read every app and what it may do.",
        "Read every app and what it may do, by itself, without anybody signed in.",
    ),
    "application.readwrite.ownedby": (
        "Make apps, and change those that it owns, their keys included.",
        "Make apps, and change those that it owns, their keys included, by itself, without anybody signed in.",
    ),
    "delegatedpermissiongrant.readwrite.all": (
        "Consent to permissions on other people's behalf.",
        "Consent to permissions on anybody's behalf, for any app, by itself, without anybody signed in.",
    ),
    "rolemanagement.read.directory": (
        "Read who holds which administrator role.",
        "Read who holds which administrator role, by itself, without anybody signed in.",
    ),
    "rolemanagement.read.all": (
        "Read who holds which administrator role, in all services.",
        "Read who holds which administrator role, in all services, by itself, without anybody signed in.",
    ),
    "auditlog.read.all": (
        "Read audit and sign-in logs, as far as the person may.",
        "Read everybody's sign-ins and every change in the directory, by itself, without anybody signed in.",
    ),
    "policy.read.all": (
        "Read the organisation's rules for sign-in and consent.",
        "Read the organisation's rules for sign-in and consent, by itself, without anybody signed in.",
    ),
    "policy.readwrite.conditionalaccess": (
        "Change the rules that say who may sign in from where.",
        "Change the rules that say who may sign in from where, by itself, without anybody signed in.",
    ),
    "policy.readwrite.authenticationmethod": (
        "Change which ways to sign in the organisation accepts.",
        "Change which ways to sign in the organisation accepts, by itself, without anybody signed in.",
    ),
    "policy.readwrite.permissiongrant": (
        "Change the rules of consent, so let itself be given more.",
        "Change the rules of consent, so let itself be given more, by itself, without anybody signed in.",
    ),
    "policy.readwrite.authorization": (
        "Change what people and guests may do by default.",
        "Change what people and guests may do by default, by itself, without anybody signed in.",
    ),
    "domain.readwrite.all": (
        "Add and change the organisation's domains, so trust another sign-in service.",
        "Add and change the organisation's domains, so trust another sign-in service, by itself, without anybody signed in.",
    ),
    "organization.readwrite.all": (
        "Change the organisation's settings, trusted certificates among them.",
        "Change the organisation's settings, trusted certificates among them, by itself, without anybody signed in.",
    ),
    "organization.read.all": (
        "Read the organisation's name, domains and licences.",
        "Read the organisation's name, domains and licences, by itself, without anybody signed in.",
    ),
    "securityevents.read.all": ("Read security alerts.", "Read security alerts, by itself, without anybody signed in."),
    "securityalert.read.all": ("Read security alerts.", "Read security alerts, by itself, without anybody signed in."),
    "identityriskyuser.read.all": (
        "Read which accounts Microsoft holds to be at risk.",
        "Read which accounts Microsoft holds to be at risk, by itself, without anybody signed in.",
    ),
    "identityriskyuser.readwrite.all": (
        "Read and close Microsoft's warnings about accounts.",
        "Read and close Microsoft's warnings about accounts, by itself, without anybody signed in.",
    ),
    "bitlockerkey.read.all": (
        "Read the keys that open encrypted disks, as far as the person may.",
        "Read the keys that open every encrypted disk, by itself, without anybody signed in.",
    ),
    "devicelocalcredential.read.all": (
        "Read passwords of local administrators on devices.",
        "Read passwords of local administrators on every device, by itself, without anybody signed in.",
    ),
    "devicemanagementmanageddevices.read.all": (
        "Read the devices that Intune manages.",
        "Read every device that Intune manages, by itself, without anybody signed in.",
    ),
    "devicemanagementmanageddevices.privilegedoperations.all": (
        "Wipe, lock and reset devices that Intune manages.",
        "Wipe, lock and reset any device that Intune manages, by itself, without anybody signed in.",
    ),
    "devicemanagementconfiguration.readwrite.all": (
        "Change what Intune sets on devices, scripts among it.",
        "Change what Intune sets on every device, scripts among it, by itself, without anybody signed in.",
    ),
    "devicemanagementscripts.readwrite.all": (
        "Run scripts of its own on devices.",
        "Run scripts of its own on every device, as its administrator, by itself, without anybody signed in.",
    ),
    "synchronization.readwrite.all": (
        "Change which accounts are made and filled from elsewhere.",
        "Change which accounts are made and filled from elsewhere, by itself, without anybody signed in.",
    ),
    "entitlementmanagement.readwrite.all": (
        "Change who gets access by request, and give it.",
        "Change who gets access by request, and give it, by itself, without anybody signed in.",
    ),
    "administrativeunit.readwrite.all": (
        "Change who administers which part of the directory.",
        "Change who administers which part of the directory, by itself, without anybody signed in.",
    ),
    "reports.read.all": (
        "Read how much each person uses Microsoft 365.",
        "Read how much each person uses Microsoft 365, by itself, without anybody signed in.",
    ),
    "tasks.readwrite": ("Read and change the person's tasks.", "Read and change everybody's tasks, by itself, without anybody signed in."),
    "tasks.read": ("Read the person's tasks.", "Read everybody's tasks, by itself, without anybody signed in."),
    "presence.read.all": ("See who is available now.", "See who is available now, by itself, without anybody signed in."),
    "team.readbasic.all": (
        "See the names of the teams that the person is in.",
        "See the names of all teams, by itself, without anybody signed in.",
    ),
    "teammember.readwrite.all": (
        "Change who is in which team, as far as the person may.",
        "Change who is in which team, by itself, without anybody signed in.",
    ),
    "channelmember.readwrite.all": (
        "Change who is in which channel, as far as the person may.",
        "Change who is in which channel, by itself, without anybody signed in.",
    ),
    "place.read.all": ("See rooms and room lists.", "See rooms and room lists, by itself, without anybody signed in."),
    "eas.accessasuser.all": (
        "Read, change and send everything in the person's mailbox over the protocol of phones.",
        "Read, change and send everything in mailboxes over the protocol of phones, by itself, without anybody signed in.",
    ),
    "openid": "Sign people in.",
    "profile": "See a person's name and picture at sign-in.",
    "email": "See a person's mail address at sign-in.",
    "offline_access": "Keep its access while the person is away, also after a password change.",
    "user.read": "Sign a person in and read that person's own profile.",
    "": "Sign in to it, without a named permission.",
    "full_access_as_app": "Read, change and send everything in every mailbox.",
    "exchange.manageasapp": "Administer Exchange by itself: every mailbox, every rule, every forwarding.",
    "imap.accessasapp": "Read and delete mail over IMAP, by itself, without anybody signed in.",
    "pop.accessasapp": "Read and delete mail over POP, by itself, without anybody signed in.",
    "smtp.sendasapp": "Send mail as people of the organisation over SMTP, without anybody signed in.",
    "sites.selected": "Reach the sites that were given to it one by one, and no others.",
    "lists.selectedoperations.selected": "Reach the lists that were given to it one by one, and no others.",
    "user_impersonation": "Do there whatever the person may do.",
    "access_as_user": "Do there whatever the person may do.",
    "directory.accessasuser.all": "Do in the directory whatever the person may do, administrators included.",
    "activityfeed.read": "Read what everybody does in Microsoft 365: the audit records of all services.",
    "activityfeed.readdlp": "Read the audit records of data loss prevention, with the sensitive text that it found.",
    "servicehealth.read": "Read the health of Microsoft's services for the organisation.",
    "tenant.read.all": "Read everything in Power BI, all workspaces of the organisation.",
    "tenant.readwrite.all": "Read and change everything in Power BI, all workspaces of the organisation.",
    "ews.accessasuser.all": "Read, change and send everything in the person's mailbox over the old Exchange interface.",
    "imap.accessasuser.all": "Read and delete the person's mail over IMAP.",
    "pop.accessasuser.all": "Read and delete the person's mail over POP.",
    "smtp.send": "Send mail as the person over SMTP.",
    "rolemanagement.readwrite.directory": "Give anybody, itself included, any administrator role.",
    "approleassignment.readwrite.all": "Give any app, itself included, any permission.",
    "application.readwrite.all": "Change every app and add keys to it, so act as the most powerful one.",
}
