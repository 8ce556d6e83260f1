from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mirror', '0018_order_to_set_right'),
        ('practices', '0009_how_long_patients_take'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='order',
            name='order_pages',
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(fields=['practice', 'id'], include=('revision', 'filed_at', 'erased_at'), name='order_pages'),
        ),
    ]
