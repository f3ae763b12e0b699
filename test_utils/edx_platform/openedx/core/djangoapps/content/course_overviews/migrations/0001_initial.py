import django.utils.timezone
import model_utils.fields
import opaque_keys.edx.django.models
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="CourseOverview",
            fields=[
                (
                    "created",
                    model_utils.fields.AutoCreatedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                (
                    "modified",
                    model_utils.fields.AutoLastModifiedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="modified"
                    ),
                ),
                ("version", models.IntegerField()),
                (
                    "id",
                    opaque_keys.edx.django.models.CourseKeyField(
                        db_index=True, max_length=255, primary_key=True, serialize=False
                    ),
                ),
                ("org", models.TextField(default="outdated_entry", max_length=255)),
                ("display_name", models.TextField(null=True)),
                ("start", models.DateTimeField(null=True)),
                ("end", models.DateTimeField(null=True)),
                ("advertised_start", models.TextField(null=True)),
                ("announcement", models.DateTimeField(null=True)),
                ("lowest_passing_grade", models.DecimalField(decimal_places=2, max_digits=5, null=True)),
                ("enrollment_start", models.DateTimeField(null=True)),
                ("enrollment_end", models.DateTimeField(null=True)),
                ("invitation_only", models.BooleanField(default=False)),
                ("max_student_enrollments_allowed", models.IntegerField(null=True)),
                ("effort", models.TextField(null=True)),
                ("self_paced", models.BooleanField(default=False)),
                ("enable_proctored_exams", models.BooleanField(default=False)),
                ("entrance_exam_enabled", models.BooleanField(default=False)),
                ("external_id", models.CharField(blank=True, max_length=128, null=True)),
                ("language", models.TextField(null=True)),
            ],
        ),
    ]
