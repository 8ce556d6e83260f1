from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ordering', '0002_one_path_three_doors'),
    ]

    operations = [
        migrations.AddField(
            model_name='orderrequest',
            name='wish_by',
            field=models.CharField(blank=True, db_default='', default='', max_length=150),
        ),
        migrations.AddField(
            model_name='orderrequest',
            name='wish_mailed_at',
            field=models.DateTimeField(null=True),
        ),
        # Wishes of before were of whoever asked; those that Today lists already are not written about.
        migrations.RunSQL(
            "UPDATE ordering_orderrequest SET wish_by = asked_by,"
            " wish_mailed_at = CASE WHEN state <> 'received' THEN wish_at END WHERE wish_at IS NOT NULL",
            migrations.RunSQL.noop,
        ),
    ]
