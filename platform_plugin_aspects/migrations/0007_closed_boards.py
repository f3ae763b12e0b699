from django.db import migrations, models


def split(apps, schema_editor):
    """An import that had begun was noted in place of the checksum."""
    rows = apps.get_model('platform_plugin_aspects', 'ProvisionedDashboard').objects.using(
        schema_editor.connection.alias
    )
    rows.filter(hash='begun, not closed').update(hash='', is_closed=False)
    rows.filter(hash='begun').update(hash='')


def join(apps, schema_editor):
    """The checksum's place says again that an import had begun, or that datasets are not closed."""
    rows = apps.get_model('platform_plugin_aspects', 'ProvisionedDashboard').objects.using(
        schema_editor.connection.alias
    )
    rows.filter(is_closed=False).update(hash='begun, not closed')
    rows.filter(hash='').update(hash='begun')


class Migration(migrations.Migration):

    dependencies = [
        ('platform_plugin_aspects', '0006_provisioned_dashboard'),
    ]

    operations = [
        migrations.AddField(
            model_name='provisioneddashboard',
            name='is_closed',
            field=models.BooleanField(default=True, help_text='Whether the row rule closes its datasets for people who log in to Superset.'),
        ),
        migrations.AlterField(
            model_name='provisioneddashboard',
            name='hash',
            field=models.CharField(blank=True, default='', help_text='Checksum of the files that made it; empty until Superset has all of it.', max_length=64),
        ),
        migrations.RunPython(split, join),
    ]
