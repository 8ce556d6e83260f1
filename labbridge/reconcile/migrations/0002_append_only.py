from django.db import migrations

# The function is the audit's: only the retention run, which says so for its transaction, may remove a row.
GUARD = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON reconcile_ledgerentry
    FOR EACH ROW EXECUTE FUNCTION labbridge_append_only();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON reconcile_ledgerentry
    FOR EACH STATEMENT EXECUTE FUNCTION labbridge_append_only();
"""
FREE = """
DROP TRIGGER append_only ON reconcile_ledgerentry;
DROP TRIGGER append_only_whole ON reconcile_ledgerentry;
"""


class Migration(migrations.Migration):
    dependencies = [("reconcile", "0001_ledger"), ("trust", "0002_append_only")]

    operations = [migrations.RunSQL(GUARD, FREE)]
