import django.db.models.deletion
from django.db import migrations, models

# Changes are noted in the transaction that makes them and summed up by whoever reads, so that writers never wait for
# each other's counters. An update that leaves the phase alone, as most do, costs nothing.
TALLY = """
CREATE FUNCTION labbridge_orders_come_and_go() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    DELETE FROM mirror_phasetally;
  ELSE
    INSERT INTO mirror_phasetally (practice_id, phase, orders)
    SELECT practice_id, phase, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END
      FROM changed WHERE NOT is_demo GROUP BY 1, 2;
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION labbridge_order_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO mirror_phasetally (practice_id, phase, orders)
  SELECT practice_id, phase, orders FROM (VALUES (OLD.practice_id, OLD.phase, -1, OLD.is_demo), (NEW.practice_id, NEW.phase, 1, NEW.is_demo))
    AS told (practice_id, phase, orders, is_demo) WHERE NOT is_demo;
  RETURN NULL;
END $$;
CREATE TRIGGER tally_new AFTER INSERT ON mirror_order REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION labbridge_orders_come_and_go();
CREATE TRIGGER tally_gone AFTER DELETE ON mirror_order REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION labbridge_orders_come_and_go();
CREATE TRIGGER tally_none AFTER TRUNCATE ON mirror_order
    FOR EACH STATEMENT EXECUTE FUNCTION labbridge_orders_come_and_go();
CREATE TRIGGER tally_moved AFTER UPDATE ON mirror_order FOR EACH ROW
    WHEN (OLD.practice_id IS DISTINCT FROM NEW.practice_id
          OR OLD.phase IS DISTINCT FROM NEW.phase
          OR OLD.is_demo IS DISTINCT FROM NEW.is_demo)
    EXECUTE FUNCTION labbridge_order_moves();
INSERT INTO mirror_phasetally (practice_id, phase, orders)
SELECT practice_id, phase, count(*) FROM mirror_order WHERE NOT is_demo GROUP BY 1, 2;
"""
NO_TALLY = """
DROP TRIGGER tally_new ON mirror_order;
DROP TRIGGER tally_gone ON mirror_order;
DROP TRIGGER tally_none ON mirror_order;
DROP TRIGGER tally_moved ON mirror_order;
DROP FUNCTION labbridge_orders_come_and_go();
DROP FUNCTION labbridge_order_moves();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('mirror', '0013_result_practice'),
    ]

    operations = [
        migrations.AlterField(
            model_name='result',
            name='practice',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='results', to='practices.practice'),
        ),
        migrations.CreateModel(
            name='PhaseTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('phase', models.CharField(max_length=20)),
                ('orders', models.BigIntegerField()),
            ],
        ),
        migrations.RemoveIndex(
            model_name='orderedtest',
            name='ordered_test_problem',
        ),
        migrations.AddIndex(
            model_name='orderedtest',
            index=models.Index(condition=models.Q(('problem', ''), _negated=True), fields=['practice', 'results_received_at', 'id'], name='ordered_test_problem'),
        ),
        migrations.AddIndex(
            model_name='result',
            index=models.Index(models.F('practice'), models.OrderBy(models.F('urgency'), descending=True), models.F('found_at'), models.F('id'), condition=models.Q(('reviewed_at', None), ('superseded', False), ('withheld', False)), name='result_queue'),
        ),
        migrations.AddIndex(
            model_name='result',
            index=models.Index(condition=models.Q(('assigned_to', ''), _negated=True), fields=['practice', 'assigned_to'], name='result_assigned'),
        ),
        migrations.AddIndex(
            model_name='result',
            index=models.Index(condition=models.Q(('reviewed_at__isnull', False), ('superseded', False), ('withheld', False)), fields=['practice', '-reviewed_at', '-id'], name='result_reviewed'),
        ),
        migrations.AddIndex(
            model_name='reviewcase',
            index=models.Index(condition=models.Q(('state', 'open')), fields=['practice', 'opened_at', 'id'], name='case_open'),
        ),
        migrations.AddIndex(
            model_name='reviewcase',
            index=models.Index(condition=models.Q(('state', 'open'), _negated=True), fields=['practice', '-decided_at', '-id'], name='case_over'),
        ),
        migrations.AddField(
            model_name='phasetally',
            name='practice',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='practices.practice'),
        ),
        migrations.AddIndex(
            model_name='phasetally',
            index=models.Index(fields=['practice', 'phase'], include=('orders',), name='phase_tally'),
        ),
        migrations.RunSQL(TALLY, NO_TALLY),
    ]
