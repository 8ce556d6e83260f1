from django.db import migrations

# Updates are allowed once, for an entry's place in the chain. Removing is for the retention run, which says so for
# its own transaction; what it removed is shown by a signed head and an entry of the audit itself.
GUARD = """
CREATE FUNCTION labbridge_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.seq IS NULL
       AND (to_jsonb(NEW) - '{seq,previous,digest}'::text[]) = (to_jsonb(OLD) - '{seq,previous,digest}'::text[]) THEN
        RETURN NEW;
    END IF;
    IF TG_OP IN ('DELETE', 'TRUNCATE') AND current_setting('labbridge.retention', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'The table % is append-only.', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON trust_auditentry
    FOR EACH ROW EXECUTE FUNCTION labbridge_append_only();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON trust_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION labbridge_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON trust_audithead
    FOR EACH ROW EXECUTE FUNCTION labbridge_append_only();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON trust_audithead
    FOR EACH STATEMENT EXECUTE FUNCTION labbridge_append_only();
"""
FREE = """
DROP TRIGGER append_only ON trust_auditentry;
DROP TRIGGER append_only_whole ON trust_auditentry;
DROP TRIGGER append_only ON trust_audithead;
DROP TRIGGER append_only_whole ON trust_audithead;
DROP FUNCTION labbridge_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("trust", "0001_audit")]

    operations = [migrations.RunSQL(GUARD, FREE)]
