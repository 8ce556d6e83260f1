from django.db import migrations

# What was said stays said. Only the sealed content may go or get another key (erasure, rotation), and only what
# empties a whole database under the retention run's own flag may remove rows.
GUARD = """
CREATE FUNCTION labbridge_billing_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND to_jsonb(OLD) - 'content' = to_jsonb(NEW) - 'content' THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'DELETE' AND current_setting('labbridge.retention', true) = 'on' THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON billing_evidence
    FOR EACH ROW EXECUTE FUNCTION labbridge_billing_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON billing_sending
    FOR EACH ROW EXECUTE FUNCTION labbridge_billing_append_only();
"""
FREE = """
DROP TRIGGER append_only ON billing_evidence;
DROP TRIGGER append_only ON billing_sending;
DROP FUNCTION labbridge_billing_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_superbills")]

    operations = [migrations.RunSQL(GUARD, FREE)]
