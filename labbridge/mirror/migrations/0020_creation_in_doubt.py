from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mirror', '0019_pages_that_tell_changes'),
    ]

    operations = [
        migrations.AddField(
            model_name='chart',
            name='in_doubt_until',
            field=models.DateTimeField(null=True),
        ),
    ]
