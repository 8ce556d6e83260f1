from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('analytics', '0003_facts_of_labs_and_results'),
        ('mirror', '0018_order_to_set_right'),
        ('practices', '0009_how_long_patients_take'),
    ]

    operations = [
        migrations.AddField(
            model_name='testfact',
            name='waited',
            field=models.GeneratedField(db_persist=True, expression=models.Case(models.When(models.Q(('counts', True), ('resulted_on__isnull', False), ('started_on__isnull', False)), then=models.Func(models.F('resulted_on'), models.F('started_on'), arg_joiner=' - ', output_field=models.IntegerField(), template='(%(expressions)s)')), default=None, output_field=models.IntegerField(null=True)), output_field=models.IntegerField(null=True)),
        ),
        migrations.AddIndex(
            model_name='orderfact',
            index=models.Index(fields=['practice', 'order'], include=('revision', 'zone', 'filed', 'erased'), name='order_fact_made'),
        ),
        migrations.AddIndex(
            model_name='testfact',
            index=models.Index(condition=models.Q(('waited__isnull', False)), fields=['practice', 'lab_test_key', 'waited', 'counted_on'], include=('lab',), name='test_fact_waits'),
        ),
        migrations.AddIndex(
            model_name='testfact',
            index=models.Index(condition=models.Q(('counts', True), ('resulted_on', None), ('started_on__isnull', False)), fields=['practice', 'counted_on'], include=('lab_test_key', 'lab', 'started_on', 'ended_on'), name='test_fact_cut_short'),
        ),
    ]
