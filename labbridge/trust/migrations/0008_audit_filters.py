import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trust', '0007_former_installations'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='auditentry',
            index=models.Index(django.db.models.functions.text.Upper('actor_name'), models.F('at'), name='audit_actor_name'),
        ),
        migrations.AddIndex(
            model_name='auditentry',
            index=models.Index(fields=['action', 'at'], name='audit_action'),
        ),
        migrations.AddIndex(
            model_name='auditentry',
            index=models.Index(condition=models.Q(('outcome', 'done'), _negated=True), fields=['outcome', 'at'], name='audit_outcome'),
        ),
        migrations.RunSQL("ANALYZE trust_auditentry", migrations.RunSQL.noop),  # names are found by an expression
    ]
