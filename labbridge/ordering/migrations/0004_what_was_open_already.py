from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ordering', '0003_wishes_by_mail'),
    ]

    operations = [
        migrations.AddField(
            model_name='orderrequest',
            name='open_already',
            field=models.JSONField(null=True),
        ),
    ]
