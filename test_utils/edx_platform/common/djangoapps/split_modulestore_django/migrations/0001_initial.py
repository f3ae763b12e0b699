import opaque_keys.edx.django.models
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    operations = [
        migrations.CreateModel(
            name="SplitModulestoreCourseIndex",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "course_id",
                    opaque_keys.edx.django.models.LearningContextKeyField(db_index=True, max_length=255, unique=True),
                ),
                ("published_version", models.CharField(blank=True, max_length=24)),
            ],
            options={"ordering": ("course_id",)},
        ),
    ]
