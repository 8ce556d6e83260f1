from django.db import migrations, models

# When the slowest test of an order should be back, as `mirror/phases.py` says it: kept beside the order, or the late
# ones among a million could not be found. Whatever writes to an order, its tests or the catalogue, it holds.
EXPECTED = """
CREATE FUNCTION labbridge_expected_at(the_order uuid, started timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN started IS NOT NULL AND bool_and(l.turnaround_days IS NOT NULL) THEN least(
    started + make_interval(hours => 24 * least(
      max(l.turnaround_days::bigint + 2 * coalesce(l.shipping_days_max, 0)::bigint), 36500)::int),
    timestamptz '9999-01-01 00:00Z') END
  FROM mirror_orderedtest t
  LEFT JOIN mirror_labtest l ON l.practice_id = t.practice_id AND l.external_id = t.lab_test_id_external
  WHERE t.order_id = the_order AND NOT t.removed
$$;
UPDATE mirror_order SET expected_at = labbridge_expected_at(id, coalesce(paid_at, submitted_at))
 WHERE phase IN ('awaiting_payment', 'in_progress', 'partial_results');
"""
# An order that is written anew from what was read before must not bring the old moment back. The catalogue waits for
# no order that somebody holds, or the two could wait for each other: `mirror/late.py` looks over all of them later.
KEPT = """
CREATE FUNCTION labbridge_order_expected() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.expected_at := labbridge_expected_at(NEW.id, coalesce(NEW.paid_at, NEW.submitted_at));
  RETURN NEW;
END $$;
CREATE FUNCTION labbridge_tests_expected() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE mirror_order o SET expected_at = e.expected_at
    FROM (SELECT id, labbridge_expected_at(id, coalesce(paid_at, submitted_at)) AS expected_at FROM mirror_order
           WHERE id IN (SELECT order_id FROM changed)) e
   WHERE o.id = e.id AND o.expected_at IS DISTINCT FROM e.expected_at;
  RETURN NULL;
END $$;
CREATE FUNCTION labbridge_test_expected() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE mirror_order SET expected_at = labbridge_expected_at(id, coalesce(paid_at, submitted_at))
   WHERE id IN (OLD.order_id, NEW.order_id);
  RETURN NULL;
END $$;
CREATE FUNCTION labbridge_catalogue_expected() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE mirror_order o SET expected_at = labbridge_expected_at(id, coalesce(paid_at, submitted_at))
   WHERE id IN (SELECT o.id FROM mirror_order o JOIN mirror_orderedtest t ON t.order_id = o.id
                 WHERE t.practice_id = NEW.practice_id AND t.lab_test_id_external = NEW.external_id
                   AND o.phase IN ('awaiting_payment', 'in_progress', 'partial_results')
                   FOR UPDATE OF o SKIP LOCKED);
  RETURN NULL;
END $$;
CREATE TRIGGER expected BEFORE UPDATE ON mirror_order FOR EACH ROW
    WHEN (OLD.paid_at IS DISTINCT FROM NEW.paid_at
          OR OLD.submitted_at IS DISTINCT FROM NEW.submitted_at
          OR OLD.phase IS DISTINCT FROM NEW.phase
          OR OLD.expected_at IS DISTINCT FROM NEW.expected_at)
    EXECUTE FUNCTION labbridge_order_expected();
CREATE TRIGGER expected_new AFTER INSERT ON mirror_orderedtest REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION labbridge_tests_expected();
CREATE TRIGGER expected_gone AFTER DELETE ON mirror_orderedtest REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION labbridge_tests_expected();
CREATE TRIGGER expected AFTER UPDATE ON mirror_orderedtest FOR EACH ROW
    WHEN (OLD.order_id IS DISTINCT FROM NEW.order_id
          OR OLD.lab_test_id_external IS DISTINCT FROM NEW.lab_test_id_external
          OR OLD.removed IS DISTINCT FROM NEW.removed)
    EXECUTE FUNCTION labbridge_test_expected();
CREATE TRIGGER expected_new AFTER INSERT ON mirror_labtest FOR EACH ROW WHEN (NEW.turnaround_days IS NOT NULL)
    EXECUTE FUNCTION labbridge_catalogue_expected();
CREATE TRIGGER expected AFTER UPDATE ON mirror_labtest FOR EACH ROW
    WHEN (OLD.turnaround_days IS DISTINCT FROM NEW.turnaround_days
          OR OLD.shipping_days_max IS DISTINCT FROM NEW.shipping_days_max)
    EXECUTE FUNCTION labbridge_catalogue_expected();
"""
FREE = """
DROP TRIGGER expected ON mirror_labtest;
DROP TRIGGER expected_new ON mirror_labtest;
DROP TRIGGER expected ON mirror_orderedtest;
DROP TRIGGER expected_gone ON mirror_orderedtest;
DROP TRIGGER expected_new ON mirror_orderedtest;
DROP TRIGGER expected ON mirror_order;
DROP FUNCTION labbridge_catalogue_expected();
DROP FUNCTION labbridge_test_expected();
DROP FUNCTION labbridge_tests_expected();
DROP FUNCTION labbridge_order_expected();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('mirror', '0014_lists_of_a_million'),
        ('practices', '0006_refused_connections'),
    ]

    operations = [
        migrations.AddField(
            model_name='order',
            name='expected_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.RunSQL(EXPECTED, "DROP FUNCTION labbridge_expected_at(uuid, timestamptz)"),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(('is_demo', False), ('phase__in', ['awaiting_payment', 'in_progress', 'partial_results'])), fields=['practice', 'id', 'expected_at'], name='order_late_pages'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(('is_demo', False), ('phase__in', ['awaiting_payment', 'in_progress', 'partial_results'])), fields=['practice', 'expected_at'], name='order_late'),
        ),
        migrations.RunSQL(KEPT, FREE),
    ]
