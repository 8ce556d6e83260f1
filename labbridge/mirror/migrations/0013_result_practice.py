import django.db.models.deletion
from django.db import migrations, models


# Add, fill, tighten (0014): the rows that are there get their test's practice.
FILL = """
UPDATE mirror_result r SET practice_id = t.practice_id FROM mirror_orderedtest t WHERE t.id = r.ordered_test_id
"""


class Migration(migrations.Migration):

    dependencies = [
        ('mirror', '0012_protocols'),
        ('practices', '0006_refused_connections'),
    ]

    operations = [
        migrations.AddField(
            model_name='result',
            name='practice',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='results', to='practices.practice'),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
