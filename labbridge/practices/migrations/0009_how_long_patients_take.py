from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('practices', '0008_config_versions'),
    ]

    operations = [
        migrations.AddField(
            model_name='practice',
            name='patients_read_took',
            field=models.DurationField(null=True),
        ),
    ]
