from django.db import migrations, models

# What a channel's last try says: one pass over the log. The address may be newer than the try; the next one puts that right.
_FILL = """
UPDATE notify_channel SET tried_at = last.at, last_error = last.error
FROM (
    SELECT DISTINCT ON (channel_id) channel_id, (tries -> -1 ->> 'at')::timestamptz AS at, coalesce(tries -> -1 ->> 'error', '') AS error
    FROM notify_delivery WHERE tries -> -1 ->> 'at' IS NOT NULL ORDER BY channel_id, at DESC
) AS last
WHERE last.channel_id = notify_channel.id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("notify", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="channel",
            name="tried_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="channel",
            name="last_error",
            field=models.TextField(blank=True, default=""),
            preserve_default=False,
        ),
        migrations.RunSQL(_FILL, migrations.RunSQL.noop),
    ]
