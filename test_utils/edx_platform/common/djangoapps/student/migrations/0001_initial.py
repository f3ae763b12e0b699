import django.db.models.deletion
import django_countries.fields
import opaque_keys.edx.django.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("course_overviews", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="UserProfile",
            fields=[
                (
                    "id",
                    models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("name", models.CharField(blank=True, db_index=True, max_length=255)),
                ("meta", models.TextField(blank=True)),
                ("courseware", models.CharField(blank=True, default="course.xml", max_length=255)),
                ("language", models.CharField(blank=True, db_index=True, max_length=255)),
                ("location", models.CharField(blank=True, db_index=True, max_length=255)),
                ("year_of_birth", models.IntegerField(blank=True, db_index=True, null=True)),
                (
                    "gender",
                    models.CharField(
                        blank=True,
                        choices=[("m", "Male"), ("f", "Female"), ("o", "Other/Prefer Not to Say")],
                        db_index=True,
                        max_length=6,
                        null=True,
                    ),
                ),
                (
                    "level_of_education",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("p", "Doctorate"),
                            ("m", "Master's or professional degree"),
                            ("b", "Bachelor's degree"),
                            ("a", "Associate degree"),
                            ("hs", "Secondary/high school"),
                            ("jhs", "Junior secondary/junior high/middle school"),
                            ("el", "Elementary/primary school"),
                            ("none", "No formal education"),
                            ("other", "Other education"),
                        ],
                        db_index=True,
                        max_length=6,
                        null=True,
                    ),
                ),
                ("mailing_address", models.TextField(blank=True, null=True)),
                ("city", models.TextField(blank=True, null=True)),
                ("country", django_countries.fields.CountryField(blank=True, max_length=2, null=True)),
                ("state", models.CharField(blank=True, max_length=2, null=True)),
                ("goals", models.TextField(blank=True, null=True)),
                ("bio", models.CharField(blank=True, max_length=3000, null=True)),
                ("profile_image_uploaded_at", models.DateTimeField(blank=True, null=True)),
                ("phone_number", models.CharField(blank=True, max_length=50, null=True)),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="profile",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "auth_userprofile",
            },
        ),
        migrations.CreateModel(
            name="CourseAccessRole",
            fields=[
                (
                    "id",
                    models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("org", models.CharField(blank=True, db_index=True, max_length=64)),
                (
                    "course_id",
                    opaque_keys.edx.django.models.CourseKeyField(blank=True, db_index=True, max_length=255),
                ),
                ("role", models.CharField(db_index=True, max_length=64)),
                (
                    "user",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={
                "unique_together": {("user", "org", "course_id", "role")},
            },
        ),
        migrations.CreateModel(
            name="CourseEnrollment",
            fields=[
                (
                    "id",
                    models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("created", models.DateTimeField(auto_now_add=True, db_index=True, null=True)),
                ("is_active", models.BooleanField(default=True)),
                ("mode", models.CharField(default="audit", max_length=100)),
                (
                    "course",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to="course_overviews.courseoverview",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={
                "ordering": ("user", "course"),
                "unique_together": {("user", "course")},
            },
        ),
    ]
