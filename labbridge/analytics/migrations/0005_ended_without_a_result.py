from django.db import migrations

# A test without a result on an order that is complete has ended. Their facts are made anew by the next refresh.
MAKE_ANEW = "UPDATE analytics_orderfact SET revision = 0 WHERE phase = 'complete' AND resulted < tests"


class Migration(migrations.Migration):
    dependencies = [("analytics", "0004_waits")]

    operations = [migrations.RunSQL(MAKE_ANEW, migrations.RunSQL.noop)]
