"""The types of external ids that the platform brings."""

from django.db import migrations

TYPES = {
    "mb_coaching": "MicroBachelors Coaching",
    "caliper": "Caliper",
    "xapi": "xAPI",
    "lti": "LTI consumer users",
}


def add_types(apps, schema_editor):
    model = apps.get_model("external_user_ids", "ExternalIdType")
    for name, description in TYPES.items():
        model.objects.update_or_create(name=name, defaults={"description": description})


class Migration(migrations.Migration):
    dependencies = [("external_user_ids", "0001_initial")]
    operations = [migrations.RunPython(add_types, migrations.RunPython.noop)]
