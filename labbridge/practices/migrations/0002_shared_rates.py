from django.db import migrations

CREATE = """
CREATE UNLOGGED TABLE practices_rate (
  account text PRIMARY KEY, rate double precision NOT NULL, free_at timestamptz NOT NULL
);
CREATE FUNCTION practices_count_calls(the_account text, the_purpose text, the_day date, number bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);  -- a count is not worth a wait for the disk
  INSERT INTO practices_callcount AS held (account, purpose, day, calls)
  VALUES (the_account, the_purpose, the_day, number)
  ON CONFLICT (account, purpose, day) DO UPDATE SET calls = held.calls + number;
END $$;
"""
DROP = "DROP FUNCTION practices_count_calls(text, text, date, bigint); DROP TABLE practices_rate;"


class Migration(migrations.Migration):
    dependencies = [("practices", "0001_initial")]
    operations = [migrations.RunSQL(CREATE, DROP)]
