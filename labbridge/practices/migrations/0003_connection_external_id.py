from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("practices", "0002_shared_rates")]
    operations = [
        migrations.AddField(
            model_name="connection",
            name="external_id",
            field=models.CharField(default="", max_length=64),
        ),
    ]
