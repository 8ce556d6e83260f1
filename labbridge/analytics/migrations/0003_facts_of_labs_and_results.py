import django.db.models.deletion
import django.db.models.functions.comparison
from django.db import migrations, models

# An installation has facts already: they get the new columns here, as `facts.py` makes them, so that no question waits
# until all are made anew. What changed since they were made is found and made anew by the next refresh, as always.
FILL = """
SET CONSTRAINTS ALL IMMEDIATE;
UPDATE analytics_testfact t
   SET lab = n.lab, leads = n.leads, lab_ended = n.leads AND n.ended, open = n.open, patient_id = n.patient_id
  FROM (
    SELECT f.ordered_test_id, f.lab, f.patient_id, f.open,
           row_number() OVER (PARTITION BY f.order_id, f.lab ORDER BY f.ordered_test_id) = 1 AS leads,
           bool_or(f.ended_on IS NOT NULL) OVER (PARTITION BY f.order_id, f.lab) AS ended
      FROM (
        SELECT t.ordered_test_id, t.order_id, t.ended_on, coalesce(l.lab_company_id_external, '') AS lab,
               CASE WHEN k.erased_at IS NULL THEN k.patient_id END AS patient_id,
               t.counts AND t.started_on IS NOT NULL AND t.resulted_on IS NULL
                 AND o.phase IN ('in_progress', 'partial_results', 'awaiting_payment') AS open
          FROM analytics_testfact t
          JOIN analytics_orderfact o ON o.order_id = t.order_id
          JOIN mirror_order k ON k.id = t.order_id
          LEFT JOIN mirror_labtest l ON l.practice_id = t.practice_id AND l.external_id = t.lab_test_key) f) n
 WHERE n.ordered_test_id = t.ordered_test_id;
UPDATE analytics_orderfact o
   SET filed = k.filed_at IS NOT NULL, erased = k.erased_at IS NOT NULL, labs = coalesce(n.labs, 0),
       lab = CASE WHEN n.known > 1 THEN 'several' ELSE coalesce(n.lab, '') END
  FROM mirror_order k
  LEFT JOIN (
    SELECT order_id, count(*) AS labs, count(*) FILTER (WHERE lab <> '') AS known, max(lab) AS lab
      FROM analytics_testfact WHERE leads GROUP BY 1) n ON n.order_id = k.id
 WHERE k.id = o.order_id;
INSERT INTO analytics_resultfact (result_id, order_id, practice_id, found_on, value_count)
SELECT r.id, t.order_id, t.practice_id, (r.found_at AT TIME ZONE o.zone)::date,
       (SELECT count(*) FROM mirror_resultvalue v WHERE v.result_id = r.id)
  FROM mirror_result r
  JOIN analytics_testfact t ON t.ordered_test_id = r.ordered_test_id
  JOIN analytics_orderfact o ON o.order_id = t.order_id
 WHERE o.counts AND o.filed AND NOT r.withheld;
-- Written anew, which leaves the dead rows of the update behind.
ALTER TABLE analytics_testfact ALTER COLUMN lab TYPE varchar(64) USING lab || '';
"""


class Migration(migrations.Migration):
    dependencies = [
        ('analytics', '0002_kits_and_samples'),
        ('mirror', '0016_people_and_refunds'),
        ('practices', '0008_config_versions'),
    ]

    operations = [
        migrations.CreateModel(
            name='ResultFact',
            fields=[
                ('result', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='fact', serialize=False, to='mirror.result')),
                ('found_on', models.DateField()),
                ('value_count', models.PositiveIntegerField()),
            ],
        ),
        migrations.AddField(
            model_name='orderfact',
            name='erased',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='orderfact',
            name='filed',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='orderfact',
            name='lab',
            field=models.CharField(default='', max_length=64),
        ),
        migrations.AddField(
            model_name='orderfact',
            name='labs',
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='testfact',
            name='lab',
            field=models.CharField(default='', max_length=64),
        ),
        migrations.AddField(
            model_name='testfact',
            name='lab_ended',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='testfact',
            name='leads',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='testfact',
            name='open',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='testfact',
            name='patient_id',
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name='resultfact',
            name='order',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='result_facts', to='analytics.orderfact'),
        ),
        migrations.AddField(
            model_name='resultfact',
            name='practice',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='practices.practice'),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        # Worked out by the database for all rows as they are added, which leaves dead rows behind too.
        migrations.AddField(
            model_name='orderfact',
            name='days_all',
            field=models.GeneratedField(db_persist=True, expression=models.Case(models.When(models.Q(('done_on__isnull', False)), then=models.Func(models.F('done_on'), models.F('first_result_on'), arg_joiner=' - ', output_field=models.IntegerField(), template='(%(expressions)s)')), models.When(models.Q(('phase', 'canceled'), models.Q(('done_on__isnull', False), ('first_result_on__isnull', False), _connector='OR')), then=models.Func(models.F('canceled_on'), models.F('first_result_on'), arg_joiner=' - ', output_field=models.IntegerField(), template='(%(expressions)s)')), default=None, output_field=models.IntegerField(null=True)), output_field=models.IntegerField(null=True)),
        ),
        migrations.AddField(
            model_name='orderfact',
            name='days_first',
            field=models.GeneratedField(db_persist=True, expression=models.Case(models.When(models.Q(('done_on__isnull', False), ('first_result_on__isnull', False), _connector='OR'), then=models.Func(models.F('first_result_on'), django.db.models.functions.comparison.Coalesce(models.F('paid_on'), models.F('submitted_on')), arg_joiner=' - ', output_field=models.IntegerField(), template='(%(expressions)s)')), models.When(models.Q(('phase', 'canceled'), models.Q(('done_on__isnull', False), ('first_result_on__isnull', False), ('paid_on__isnull', False), ('payment', 'practitioner_pays'), ('phase__in', ['in_progress', 'partial_results', 'complete']), _connector='OR')), then=models.Func(models.F('canceled_on'), django.db.models.functions.comparison.Coalesce(models.F('paid_on'), models.F('submitted_on')), arg_joiner=' - ', output_field=models.IntegerField(), template='(%(expressions)s)')), default=None, output_field=models.IntegerField(null=True)), output_field=models.IntegerField(null=True)),
        ),
        migrations.AddField(
            model_name='orderfact',
            name='days_paid',
            field=models.GeneratedField(db_persist=True, expression=models.Case(models.When(models.Q(('done_on__isnull', False), ('first_result_on__isnull', False), ('paid_on__isnull', False), ('payment', 'practitioner_pays'), ('phase__in', ['in_progress', 'partial_results', 'complete']), _connector='OR'), then=models.Func(models.F('paid_on'), models.F('submitted_on'), arg_joiner=' - ', output_field=models.IntegerField(), template='(%(expressions)s)')), models.When(models.Q(('phase', 'canceled')), then=models.Func(models.F('canceled_on'), models.F('submitted_on'), arg_joiner=' - ', output_field=models.IntegerField(), template='(%(expressions)s)')), default=None, output_field=models.IntegerField(null=True)), output_field=models.IntegerField(null=True)),
        ),
        migrations.AddField(
            model_name='orderfact',
            name='reached',
            field=models.GeneratedField(db_persist=True, expression=models.Case(models.When(models.Q(('done_on__isnull', False)), then=models.Value(3)), models.When(models.Q(('done_on__isnull', False), ('first_result_on__isnull', False), _connector='OR'), then=models.Value(2)), models.When(models.Q(('done_on__isnull', False), ('first_result_on__isnull', False), ('paid_on__isnull', False), ('payment', 'practitioner_pays'), ('phase__in', ['in_progress', 'partial_results', 'complete']), _connector='OR'), then=models.Value(1)), default=models.Value(0)), output_field=models.SmallIntegerField()),
        ),
        migrations.AddField(
            model_name='orderfact',
            name='revenue_on',
            field=models.GeneratedField(db_persist=True, expression=models.Case(models.When(payment__in=['paid', 'practitioner_pays'], then=django.db.models.functions.comparison.Coalesce(models.F('paid_on'), models.F('counted_on'))), default=None, output_field=models.DateField(null=True)), output_field=models.DateField(null=True)),
        ),
        migrations.AddField(
            model_name='orderfact',
            name='waits_since',
            field=models.GeneratedField(db_persist=True, expression=models.Case(models.When(models.Q(('phase', 'canceled'), ('done_on__isnull', False), _connector='OR'), then=None), models.When(models.Q(('done_on__isnull', False), ('first_result_on__isnull', False), _connector='OR'), then=models.F('first_result_on')), models.When(models.Q(('done_on__isnull', False), ('first_result_on__isnull', False), ('paid_on__isnull', False), ('payment', 'practitioner_pays'), ('phase__in', ['in_progress', 'partial_results', 'complete']), _connector='OR'), then=django.db.models.functions.comparison.Coalesce(models.F('paid_on'), models.F('submitted_on'))), default=models.F('submitted_on'), output_field=models.DateField(null=True)), output_field=models.DateField(null=True)),
        ),
        migrations.AddIndex(
            model_name='testfact',
            index=models.Index(fields=['practice', 'lab_test_key', 'lab'], name='test_fact_lab'),
        ),
        migrations.AddIndex(
            model_name='testfact',
            index=models.Index(condition=models.Q(('open', True)), fields=['practice', 'lab', 'lab_test_key', 'started_on'], name='test_fact_open'),
        ),
        migrations.AddIndex(
            model_name='resultfact',
            index=models.Index(fields=['practice', 'found_on'], include=('value_count',), name='result_fact_day'),
        ),
        migrations.AddIndex(
            model_name='orderfact',
            index=models.Index(condition=models.Q(('kit_on__isnull', False), ('sample_on__isnull', False), _connector='OR'), fields=['practice', 'counted_on'], name='order_fact_told'),
        ),
        migrations.AddIndex(
            model_name='testfact',
            index=models.Index(condition=models.Q(('counts', True), ('ended_on', None), ('patient_id__isnull', False)), fields=['practice', 'lab_test_key', 'patient_id', '-counted_on', 'ordered_test'], include=('order', 'resulted_on'), name='test_fact_again'),
        ),
    ]
