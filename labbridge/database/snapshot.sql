-- migrations: {"account.0001_initial": "6f27ff6bdf57", "account.0002_email_max_length": "c956ab7a3c36", "account.0003_alter_emailaddress_create_unique_verified_email": "66b6f1939621", "account.0004_alter_emailaddress_drop_unique_email": "ebc6317e90c4", "account.0005_emailaddress_idx_upper_email": "e7569f1662da", "account.0006_emailaddress_lower": "54adb08cb3fb", "account.0007_emailaddress_idx_email": "87fad70bfde8", "account.0008_emailaddress_unique_primary_email_fixup": "794bf875bdbe", "account.0009_emailaddress_unique_primary_email": "79762cfa7b1e", "accounts.0001_initial": "5deee2c76c10", "accounts.0002_shared_cache": "4a738f162959", "alerts.0001_initial": "ba8aaaeddcee", "analytics.0001_facts": "a4fa5c82328b", "analytics.0002_kits_and_samples": "0fe4c8eeab7b", "analytics.0003_facts_of_labs_and_results": "81c1e0d02b20", "analytics.0004_waits": "f6f3b66b5729", "analytics.0005_ended_without_a_result": "f6ed1d603a73", "auth.0001_initial": "845cff319606", "auth.0002_alter_permission_name_max_length": "feaf97e0e8f7", "auth.0003_alter_user_email_max_length": "9d5657b4db98", "auth.0004_alter_user_username_opts": "9538db342c9a", "auth.0005_alter_user_last_login_null": "79f60a35dc00", "auth.0006_require_contenttypes_0002": "00cb16e3405f", "auth.0007_alter_validators_add_error_messages": "115db87dc327", "auth.0008_alter_user_username_max_length": "02857f65f7d6", "auth.0009_alter_user_last_name_max_length": "19a89500e7f1", "auth.0010_alter_group_name_max_length": "0963ed6498ac", "auth.0011_update_proxy_permissions": "85a5dde708dc", "auth.0012_alter_user_first_name_max_length": "6cefbc9f8090", "backup.0001_initial": "d1997eebedfc", "billing.0001_superbills": "a1e51e1410f6", "billing.0002_append_only": "53851f76d09b", "console.0001_saved_views": "144438b88980", "console.0002_setupdraft": "e329c3fb82b6", "contenttypes.0001_initial": "35ed8489a147", "contenttypes.0002_remove_content_type_name": "7d3649407575", "engine.0001_initial": "c98a757e9017", "engine.0002_quiet_jobs": "2e06a2dbfeb5", "engine.0003_tally": "42f6e9fc60d2", "engine.0004_failures": "efb00d51d816", "filing.0001_initial": "4ef00bd7242a", "filing.0002_announced_results": "591c64f3f3d6", "filing.0003_protocol_edits": "866d2f00cfa7", "handover.0001_api_keys": "2e5113630dcd", "handover.0002_whose_answer": "ed6f1dbecfbc", "handover.0003_agreements": "5e203f6669c9", "inbox.0001_initial": "a021a672bcf8", "inbox.0002_retention": "a7502b66f24f", "inbox.0003_event_of_peer": "f21a7e88929f", "mfa.0001_initial": "a42b6353f2ed", "mfa.0002_authenticator_timestamps": "b6566eb07301", "mfa.0003_authenticator_type_uniq": "88550a456154", "mirror.0001_initial": "b508ad4b6e22", "mirror.0002_clocks_takes_and_names": "6238252989dc", "mirror.0003_patients_and_ordering": "180d1a10083d", "mirror.0004_today_indexes": "9445a14336ab", "mirror.0005_retention": "23109cd3296a", "mirror.0006_matches_and_questions": "d7472bafa37a", "mirror.0007_billing_words": "d44b0b12b258", "mirror.0008_lab_test_changes": "e0435bd437ee", "mirror.0009_reviews_and_notes": "959bb35dfd86", "mirror.0010_order_history": "efc69146b2d4", "mirror.0011_crosswalk": "aed154795abc", "mirror.0012_protocols": "c30e7ff8d982", "mirror.0013_result_practice": "c8ecdefd4764", "mirror.0014_lists_of_a_million": "fee13050ba04", "mirror.0015_expected_at": "069e122ef866", "mirror.0016_people_and_refunds": "1f93df7b27fd", "mirror.0017_names_by_tags": "dfb13d8a77b8", "mirror.0018_order_to_set_right": "71fdf8698caa", "mirror.0019_pages_that_tell_changes": "d1eb7ce6ef32", "mirror.0020_creation_in_doubt": "726199a93ee0", "ordering.0001_patients_and_ordering": "eb9226e78ce2", "ordering.0002_one_path_three_doors": "158242a54f8b", "ordering.0003_wishes_by_mail": "6b6c7c4948bc", "ordering.0004_what_was_open_already": "e48b00548c40", "outbox.0001_outbox": "901d162c0088", "outbox.0002_whom_a_letter_told": "951cf4e2963b", "practices.0001_initial": "dbdb4ecb5367", "practices.0002_shared_rates": "def879652ce9", "practices.0003_connection_external_id": "93edebf704bf", "practices.0004_patients_and_ordering": "a5746dbd97ba", "practices.0005_alert_channels_and_clocks": "a85a8821db50", "practices.0006_refused_connections": "c527e2c3e26d", "practices.0007_preparation": "0d359f519b98", "practices.0008_config_versions": "ed0ad5214d31", "practices.0009_how_long_patients_take": "8e7b692ddfa3", "procrastinate.0001_initial": "be81516c79d0", "procrastinate.0002_drop_started_at_column": "2ead163c1ce2", "procrastinate.0003_drop_started_at_column": "740f2d8ff02c", "procrastinate.0004_drop_procrastinate_version_table": "9f48b76f59a9", "procrastinate.0005_fix_procrastinate_fetch_job": "6a8e4055ab8e", "procrastinate.0006_fix_trigger_status_events_insert": "d9d2f532a094", "procrastinate.0007_add_queueing_lock_column": "dc12645a882f", "procrastinate.0008_close_fetch_job_race_condition": "74c7c44a68d3", "procrastinate.0009_add_defer_job_function": "b9d529f1bb14", "procrastinate.0010_add_procrastinate_periodic_defers": "bd1aa56a04f8", "procrastinate.0011_add_foreign_key_index": "25cc09144811", "procrastinate.0012_add_locks_to_periodic_defer": "7cf8863ace39", "procrastinate.0013_fix_procrastinate_defer_periodic_job": "4d5072911b8c", "procrastinate.0014_add_finish_job_and_retry_job_functions": "20ebed9ca302", "procrastinate.0015_add_trigger_on_job_deletion": "41bec3a5111f", "procrastinate.0016_delete_finished_jobs": "aa4d841aae25", "procrastinate.0017_add_checks_to_finish_job": "fa9f208ddf33", "procrastinate.0018_add_checks_to_retry_job": "893bfc867f15", "procrastinate.0019_fix_finish_job_compat_issue": "4c85f00a990b", "procrastinate.0020_add_index_on_procrastinate_jobs": "5a93c4ea92b8", "procrastinate.0021_add_kwargs_to_defer_periodic_job": "88dd3371cbde", "procrastinate.0022_null_locks_excluded": "2d5b088f88e8", "procrastinate.0023_remove_old_finish_job_function": "89267383eac7", "procrastinate.0024_job_id_bigint": "27108dc62abe", "procrastinate.0025_add_models": "29580ceb9d30", "procrastinate.0026_add_job_priority": "4f7746b8edef", "procrastinate.0027_add_periodic_job_priority": "17e24782e5f4", "procrastinate.0028_add_cancel_states": "2831656624aa", "procrastinate.0029_add_additional_params_to_retry_job": "50d48f155234", "procrastinate.0030_alter_procrastinateevent_options": "94486414b944", "procrastinate.0031_add_indexes_for_fetch_job": "c7235c71c0c0", "procrastinate.0032_pre_cancel_notification": "42c97f730f7f", "procrastinate.0033_post_cancel_notification": "8bd0e84d1e45", "procrastinate.0034_pre_add_heartbeat": "844ed448222b", "procrastinate.0035_post_add_heartbeat": "0cbd71b8406c", "procrastinate.0036_add_worker_model": "f996e8059968", "procrastinate.0037_pre_batch_defer_jobs": "0d7d4294e8aa", "procrastinate.0038_post_batch_defer_jobs": "503152d687e3", "procrastinate.0039_pre_priority_lock_fetch_job": "aba2087cb2b6", "procrastinate.0040_pre_retry_failed_job": "f6d2a552fbbc", "procrastinate.0041_post_retry_failed_job": "2c8dc359b303", "reconcile.0001_ledger": "3d80b895f13f", "reconcile.0002_append_only": "5ce72a35639d", "reconcile.0003_missed_requests": "e45e157a7d55", "sessions.0001_initial": "2aa438e2393e", "trust.0001_audit": "3a0b1624c35b", "trust.0002_append_only": "4eb119ff16af", "trust.0003_one_chain_for_each_practice": "7c63dc706ff4", "trust.0004_data_keys": "0004c2881228", "trust.0005_retention": "020aa9782326", "trust.0006_audit_subject": "c102e8dc3f38", "trust.0007_former_installations": "d1647aed5276", "trust.0008_audit_filters": "b177d8b53c85"}
CREATE TYPE public.procrastinate_job_event_type AS ENUM (
    'deferred',
    'started',
    'deferred_for_retry',
    'failed',
    'succeeded',
    'cancelled',
    'abort_requested',
    'aborted',
    'scheduled',
    'retried'
);
CREATE TYPE public.procrastinate_job_status AS ENUM (
    'todo',
    'doing',
    'succeeded',
    'failed',
    'cancelled',
    'aborting',
    'aborted'
);
CREATE TYPE public.procrastinate_job_to_defer_v1 AS (
	queue_name character varying,
	task_name character varying,
	priority integer,
	lock text,
	queueing_lock text,
	args jsonb,
	scheduled_at timestamp with time zone
);
CREATE FUNCTION public.labbridge_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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
CREATE FUNCTION public.labbridge_billing_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND to_jsonb(OLD) - 'content' = to_jsonb(NEW) - 'content' THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'DELETE' AND current_setting('labbridge.retention', true) = 'on' THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE FUNCTION public.labbridge_catalogue_expected() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  UPDATE mirror_order o SET expected_at = labbridge_expected_at(id, coalesce(paid_at, submitted_at))
   WHERE id IN (SELECT o.id FROM mirror_order o JOIN mirror_orderedtest t ON t.order_id = o.id
                 WHERE t.practice_id = NEW.practice_id AND t.lab_test_id_external = NEW.external_id
                   AND o.phase IN ('awaiting_payment', 'in_progress', 'partial_results')
                   FOR UPDATE OF o SKIP LOCKED);
  RETURN NULL;
END $$;
CREATE FUNCTION public.labbridge_expected_at(the_order uuid, started timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    AS $$
  SELECT CASE WHEN started IS NOT NULL AND bool_and(l.turnaround_days IS NOT NULL) THEN least(
    started + make_interval(hours => 24 * least(
      max(l.turnaround_days::bigint + 2 * coalesce(l.shipping_days_max, 0)::bigint), 36500)::int),
    timestamptz '9999-01-01 00:00Z') END
  FROM mirror_orderedtest t
  LEFT JOIN mirror_labtest l ON l.practice_id = t.practice_id AND l.external_id = t.lab_test_id_external
  WHERE t.order_id = the_order AND NOT t.removed
$$;
CREATE FUNCTION public.labbridge_order_expected() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  NEW.expected_at := labbridge_expected_at(NEW.id, coalesce(NEW.paid_at, NEW.submitted_at));
  RETURN NEW;
END $$;
CREATE FUNCTION public.labbridge_order_moment_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  IF TG_OP = 'DELETE' AND current_setting('labbridge.retention', true) = 'on' THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE FUNCTION public.labbridge_order_moves() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  INSERT INTO mirror_phasetally (practice_id, phase, orders)
  SELECT practice_id, phase, orders FROM (VALUES (OLD.practice_id, OLD.phase, -1, OLD.is_demo), (NEW.practice_id, NEW.phase, 1, NEW.is_demo))
    AS told (practice_id, phase, orders, is_demo) WHERE NOT is_demo;
  RETURN NULL;
END $$;
CREATE FUNCTION public.labbridge_orders_come_and_go() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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
CREATE FUNCTION public.labbridge_test_expected() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  UPDATE mirror_order SET expected_at = labbridge_expected_at(id, coalesce(paid_at, submitted_at))
   WHERE id IN (OLD.order_id, NEW.order_id);
  RETURN NULL;
END $$;
CREATE FUNCTION public.labbridge_tests_expected() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  UPDATE mirror_order o SET expected_at = e.expected_at
    FROM (SELECT id, labbridge_expected_at(id, coalesce(paid_at, submitted_at)) AS expected_at FROM mirror_order
           WHERE id IN (SELECT order_id FROM changed)) e
   WHERE o.id = e.id AND o.expected_at IS DISTINCT FROM e.expected_at;
  RETURN NULL;
END $$;
CREATE FUNCTION public.practices_count_calls(the_account text, the_purpose text, the_day date, number bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);  -- a count is not worth a wait for the disk
  INSERT INTO practices_callcount AS held (account, purpose, day, calls)
  VALUES (the_account, the_purpose, the_day, number)
  ON CONFLICT (account, purpose, day) DO UPDATE SET calls = held.calls + number;
END $$;
CREATE FUNCTION public.procrastinate_cancel_job_v1(job_id bigint, abort boolean, delete_job boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status = 'todo'
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        IF abort THEN
            UPDATE procrastinate_jobs
            SET abort_requested = true,
                status = CASE status
                    WHEN 'todo' THEN 'cancelled'::procrastinate_job_status ELSE status
                END
            WHERE id = job_id AND status IN ('todo', 'doing')
            RETURNING id INTO _job_id;
        ELSE
            UPDATE procrastinate_jobs
            SET status = 'cancelled'::procrastinate_job_status
            WHERE id = job_id AND status = 'todo'
            RETURNING id INTO _job_id;
        END IF;
    END IF;
    RETURN _job_id;
END;
$$;
CREATE FUNCTION public.procrastinate_defer_jobs_v1(jobs public.procrastinate_job_to_defer_v1[]) RETURNS bigint[]
    LANGUAGE plpgsql
    AS $$
DECLARE
    job_ids bigint[];
BEGIN
    WITH inserted_jobs AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
        SELECT (job).queue_name,
               (job).task_name,
               (job).priority,
               (job).lock,
               (job).queueing_lock,
               (job).args,
               (job).scheduled_at
        FROM unnest(jobs) AS job
        RETURNING id
    )
    SELECT array_agg(id) FROM inserted_jobs INTO job_ids;
    RETURN job_ids;
END;
$$;
CREATE FUNCTION public.procrastinate_defer_periodic_job_v2(_queue_name character varying, _lock character varying, _queueing_lock character varying, _task_name character varying, _priority integer, _periodic_id character varying, _defer_timestamp bigint, _args jsonb) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
	_job_id bigint;
	_defer_id bigint;
BEGIN
    INSERT
        INTO procrastinate_periodic_defers (task_name, periodic_id, defer_timestamp)
        VALUES (_task_name, _periodic_id, _defer_timestamp)
        ON CONFLICT DO NOTHING
        RETURNING id into _defer_id;
    IF _defer_id IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE procrastinate_periodic_defers
        SET job_id = (
            SELECT COALESCE((
                SELECT unnest(procrastinate_defer_jobs_v1(
                    ARRAY[
                        ROW(
                            _queue_name,
                            _task_name,
                            _priority,
                            _lock,
                            _queueing_lock,
                            _args,
                            NULL::timestamptz
                        )
                    ]::procrastinate_job_to_defer_v1[]
                ))
            ), NULL)
        )
        WHERE id = _defer_id
        RETURNING job_id INTO _job_id;
    DELETE
        FROM procrastinate_periodic_defers
        USING (
            SELECT id
            FROM procrastinate_periodic_defers
            WHERE procrastinate_periodic_defers.task_name = _task_name
            AND procrastinate_periodic_defers.periodic_id = _periodic_id
            AND procrastinate_periodic_defers.defer_timestamp < _defer_timestamp
            ORDER BY id
            FOR UPDATE
        ) to_delete
        WHERE procrastinate_periodic_defers.id = to_delete.id;
    RETURN _job_id;
END;
$$;
CREATE TABLE public.procrastinate_jobs (
    id bigint NOT NULL,
    queue_name character varying(128) NOT NULL,
    task_name character varying(128) NOT NULL,
    lock text,
    args jsonb DEFAULT '{}'::jsonb NOT NULL,
    status public.procrastinate_job_status DEFAULT 'todo'::public.procrastinate_job_status NOT NULL,
    scheduled_at timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    queueing_lock text,
    priority integer DEFAULT 0 NOT NULL,
    abort_requested boolean DEFAULT false NOT NULL,
    worker_id bigint,
    CONSTRAINT check_not_todo_abort_requested CHECK ((NOT ((status = 'todo'::public.procrastinate_job_status) AND (abort_requested = true))))
);
CREATE FUNCTION public.procrastinate_fetch_job_v2(target_queue_names character varying[], p_worker_id bigint) RETURNS public.procrastinate_jobs
    LANGUAGE plpgsql
    AS $$
DECLARE
	found_jobs procrastinate_jobs;
BEGIN
    WITH candidate AS (
        SELECT jobs.*
            FROM procrastinate_jobs AS jobs
            WHERE
                -- reject the job if its lock has earlier or higher priority jobs
                NOT EXISTS (
                    SELECT 1
                        FROM procrastinate_jobs AS other_jobs
                        WHERE
                            jobs.lock IS NOT NULL
                            AND other_jobs.lock = jobs.lock
                            AND (
                                -- job with same lock is already running
                                other_jobs.status = 'doing'
                                OR
                                -- job with same lock is waiting and has higher priority (or same priority but was queued first)
                                (
                                    other_jobs.status = 'todo'
                                    AND (
                                        other_jobs.priority > jobs.priority
                                        OR (
                                        other_jobs.priority = jobs.priority
                                        AND other_jobs.id < jobs.id
                                        )
                                    )
                                )
                            )
                )
                AND jobs.status = 'todo'
                AND (target_queue_names IS NULL OR jobs.queue_name = ANY( target_queue_names ))
                AND (jobs.scheduled_at IS NULL OR jobs.scheduled_at <= now())
            ORDER BY jobs.priority DESC, jobs.id ASC LIMIT 1
            FOR UPDATE OF jobs SKIP LOCKED
    )
    UPDATE procrastinate_jobs
        SET status = 'doing', worker_id = p_worker_id
        FROM candidate
        WHERE procrastinate_jobs.id = candidate.id
        RETURNING procrastinate_jobs.* INTO found_jobs;
 RETURN found_jobs;
END;
$$;
CREATE FUNCTION public.procrastinate_finish_job_v1(job_id bigint, end_status public.procrastinate_job_status, delete_job boolean) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF end_status NOT IN ('succeeded', 'failed', 'aborted') THEN
        RAISE 'End status should be either "succeeded", "failed" or "aborted" (job id: %)', job_id;
    END IF;
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = end_status,
            abort_requested = false,
            attempts = CASE status
                WHEN 'doing' THEN attempts + 1 ELSE attempts
            END
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" or "todo" status (job id: %)', job_id;
    END IF;
END;
$$;
CREATE FUNCTION public.procrastinate_notify_queue_abort_job_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'abort_job_requested', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_notify_queue_job_inserted_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'job_inserted', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_prune_stalled_workers_v1(seconds_since_heartbeat double precision) RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    DELETE FROM procrastinate_workers
    WHERE last_heartbeat < NOW() - (seconds_since_heartbeat || 'SECOND')::INTERVAL
    RETURNING procrastinate_workers.id;
END;
$$;
CREATE FUNCTION public.procrastinate_register_worker_v1() RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    INSERT INTO procrastinate_workers DEFAULT VALUES
    RETURNING procrastinate_workers.id;
END;
$$;
CREATE FUNCTION public.procrastinate_retry_job_v1(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
BEGIN
    SELECT abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status = 'doing'
    FOR UPDATE
    INTO _abort_requested;
    IF _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" status (job id: %)', job_id;
    END IF;
END;
$$;
CREATE FUNCTION public.procrastinate_retry_job_v2(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
    _current_status procrastinate_job_status;
BEGIN
    SELECT status, abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status IN ('doing', 'failed')
    FOR UPDATE
    INTO _current_status, _abort_requested;
    IF _current_status = 'doing' AND _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status IN ('doing', 'failed')
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        RAISE 'Job was not found or has an invalid status to retry (job id: %)', job_id;
    END IF;
END;
$$;
CREATE FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'abort_requested'::procrastinate_job_event_type);
    RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_trigger_function_scheduled_events_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type, at)
        VALUES (NEW.id, 'scheduled'::procrastinate_job_event_type, NEW.scheduled_at);
	RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_trigger_function_status_events_insert_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'deferred'::procrastinate_job_event_type);
	RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_trigger_function_status_events_update_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    WITH t AS (
        SELECT CASE
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND NEW.status = 'doing'::procrastinate_job_status
                THEN 'started'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'deferred_for_retry'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'failed'::procrastinate_job_status
                THEN 'failed'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'succeeded'::procrastinate_job_status
                THEN 'succeeded'::procrastinate_job_event_type
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND (
                    NEW.status = 'cancelled'::procrastinate_job_status
                    OR NEW.status = 'failed'::procrastinate_job_status
                    OR NEW.status = 'succeeded'::procrastinate_job_status
                )
                THEN 'cancelled'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'aborted'::procrastinate_job_status
                THEN 'aborted'::procrastinate_job_event_type
            WHEN OLD.status = 'failed'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'retried'::procrastinate_job_event_type
            ELSE NULL
        END as event_type
    )
    INSERT INTO procrastinate_events(job_id, type)
        SELECT NEW.id, t.event_type
        FROM t
        WHERE t.event_type IS NOT NULL;
	RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_unlink_periodic_defers_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_periodic_defers
    SET job_id = NULL
    WHERE job_id = OLD.id;
    RETURN OLD;
END;
$$;
CREATE FUNCTION public.procrastinate_unregister_worker_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    DELETE FROM procrastinate_workers
    WHERE id = worker_id;
END;
$$;
CREATE FUNCTION public.procrastinate_update_heartbeat_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_workers
    SET last_heartbeat = NOW()
    WHERE id = worker_id;
END;
$$;
CREATE TABLE public.account_emailaddress (
    id integer NOT NULL,
    email character varying(254) NOT NULL,
    verified boolean NOT NULL,
    "primary" boolean NOT NULL,
    user_id integer NOT NULL
);
ALTER TABLE public.account_emailaddress ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.account_emailaddress_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.account_emailconfirmation (
    id integer NOT NULL,
    created timestamp with time zone NOT NULL,
    sent timestamp with time zone,
    key character varying(64) NOT NULL,
    email_address_id integer NOT NULL
);
ALTER TABLE public.account_emailconfirmation ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.account_emailconfirmation_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.accounts_directorysignin (
    id uuid NOT NULL,
    request_id character varying(80) NOT NULL,
    next character varying(2000) NOT NULL,
    fresh boolean NOT NULL,
    started_at timestamp with time zone NOT NULL,
    answered_at timestamp with time zone,
    two_factor boolean NOT NULL,
    used_at timestamp with time zone,
    practice_id uuid NOT NULL,
    user_id integer
);
CREATE TABLE public.accounts_membership (
    id bigint NOT NULL,
    role character varying(16) NOT NULL,
    rupa_email character varying(254) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    practice_id uuid NOT NULL,
    user_id integer NOT NULL
);
ALTER TABLE public.accounts_membership ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.accounts_membership_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.accounts_signingkey (
    id uuid NOT NULL,
    certificate text NOT NULL,
    private_key bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    practice_id uuid NOT NULL
);
CREATE TABLE public.alerts_alert (
    id uuid NOT NULL,
    rule character varying(40) NOT NULL,
    subject character varying(80) NOT NULL,
    params jsonb NOT NULL,
    state character varying(12) NOT NULL,
    first_seen timestamp with time zone NOT NULL,
    last_seen timestamp with time zone NOT NULL,
    acknowledged_by character varying(150) NOT NULL,
    acknowledged_at timestamp with time zone,
    resolved_by character varying(150) NOT NULL,
    resolved_at timestamp with time zone,
    practice_id uuid
);
CREATE TABLE public.alerts_digest (
    channel character varying(120) NOT NULL,
    day date NOT NULL
);
CREATE TABLE public.alerts_notice (
    id bigint NOT NULL,
    channel character varying(32) NOT NULL,
    occasion character varying(20) NOT NULL,
    sent_at timestamp with time zone NOT NULL,
    alert_id uuid NOT NULL
);
ALTER TABLE public.alerts_notice ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.alerts_notice_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.analytics_orderfact (
    order_id uuid NOT NULL,
    revision integer NOT NULL,
    zone character varying(64) NOT NULL,
    counts boolean NOT NULL,
    counted_on date NOT NULL,
    dated boolean NOT NULL,
    backwards boolean NOT NULL,
    source character varying(60) NOT NULL,
    practitioner_key character varying(64) NOT NULL,
    practitioner_name character varying(200) NOT NULL,
    payer character varying(60) NOT NULL,
    payment character varying(20) NOT NULL,
    phase character varying(20) NOT NULL,
    price numeric(14,4),
    submitted_on date,
    paid_on date,
    first_result_on date,
    done_on date,
    canceled_on date,
    tests smallint NOT NULL,
    resulted smallint NOT NULL,
    practice_id uuid NOT NULL,
    kit_on date,
    sample_on date,
    erased boolean NOT NULL,
    filed boolean NOT NULL,
    lab character varying(64) NOT NULL,
    labs smallint NOT NULL,
    days_all integer GENERATED ALWAYS AS (
CASE
    WHEN (done_on IS NOT NULL) THEN (done_on - first_result_on)
    WHEN (((phase)::text = 'canceled'::text) AND ((done_on IS NOT NULL) OR (first_result_on IS NOT NULL))) THEN (canceled_on - first_result_on)
    ELSE NULL::integer
END) STORED,
    days_first integer GENERATED ALWAYS AS (
CASE
    WHEN ((done_on IS NOT NULL) OR (first_result_on IS NOT NULL)) THEN (first_result_on - COALESCE(paid_on, submitted_on))
    WHEN (((phase)::text = 'canceled'::text) AND ((done_on IS NOT NULL) OR (first_result_on IS NOT NULL) OR (paid_on IS NOT NULL) OR ((payment)::text = 'practitioner_pays'::text) OR ((phase)::text = ANY ((ARRAY['in_progress'::character varying, 'partial_results'::character varying, 'complete'::character varying])::text[])))) THEN (canceled_on - COALESCE(paid_on, submitted_on))
    ELSE NULL::integer
END) STORED,
    days_paid integer GENERATED ALWAYS AS (
CASE
    WHEN ((done_on IS NOT NULL) OR (first_result_on IS NOT NULL) OR (paid_on IS NOT NULL) OR ((payment)::text = 'practitioner_pays'::text) OR ((phase)::text = ANY ((ARRAY['in_progress'::character varying, 'partial_results'::character varying, 'complete'::character varying])::text[]))) THEN (paid_on - submitted_on)
    WHEN ((phase)::text = 'canceled'::text) THEN (canceled_on - submitted_on)
    ELSE NULL::integer
END) STORED,
    reached smallint GENERATED ALWAYS AS (
CASE
    WHEN (done_on IS NOT NULL) THEN 3
    WHEN ((done_on IS NOT NULL) OR (first_result_on IS NOT NULL)) THEN 2
    WHEN ((done_on IS NOT NULL) OR (first_result_on IS NOT NULL) OR (paid_on IS NOT NULL) OR ((payment)::text = 'practitioner_pays'::text) OR ((phase)::text = ANY ((ARRAY['in_progress'::character varying, 'partial_results'::character varying, 'complete'::character varying])::text[]))) THEN 1
    ELSE 0
END) STORED,
    revenue_on date GENERATED ALWAYS AS (
CASE
    WHEN ((payment)::text = ANY ((ARRAY['paid'::character varying, 'practitioner_pays'::character varying])::text[])) THEN COALESCE(paid_on, counted_on)
    ELSE NULL::date
END) STORED,
    waits_since date GENERATED ALWAYS AS (
CASE
    WHEN (((phase)::text = 'canceled'::text) OR (done_on IS NOT NULL)) THEN NULL::date
    WHEN ((done_on IS NOT NULL) OR (first_result_on IS NOT NULL)) THEN first_result_on
    WHEN ((done_on IS NOT NULL) OR (first_result_on IS NOT NULL) OR (paid_on IS NOT NULL) OR ((payment)::text = 'practitioner_pays'::text) OR ((phase)::text = ANY ((ARRAY['in_progress'::character varying, 'partial_results'::character varying, 'complete'::character varying])::text[]))) THEN COALESCE(paid_on, submitted_on)
    ELSE submitted_on
END) STORED,
    CONSTRAINT analytics_orderfact_labs_check CHECK ((labs >= 0)),
    CONSTRAINT analytics_orderfact_resulted_check CHECK ((resulted >= 0)),
    CONSTRAINT analytics_orderfact_revision_check CHECK ((revision >= 0)),
    CONSTRAINT analytics_orderfact_tests_check CHECK ((tests >= 0))
);
CREATE TABLE public.analytics_resultfact (
    result_id uuid NOT NULL,
    found_on date NOT NULL,
    value_count integer NOT NULL,
    order_id uuid NOT NULL,
    practice_id uuid NOT NULL,
    CONSTRAINT analytics_resultfact_value_count_check CHECK ((value_count >= 0))
);
CREATE TABLE public.analytics_testfact (
    ordered_test_id uuid NOT NULL,
    lab_test_key character varying(64) NOT NULL,
    counted_on date NOT NULL,
    counts boolean NOT NULL,
    started_on date,
    resulted_on date,
    ended_on date,
    order_id uuid NOT NULL,
    practice_id uuid NOT NULL,
    lab character varying(64) NOT NULL,
    lab_ended boolean NOT NULL,
    leads boolean NOT NULL,
    open boolean NOT NULL,
    patient_id uuid,
    waited integer GENERATED ALWAYS AS (
CASE
    WHEN (counts AND (resulted_on IS NOT NULL) AND (started_on IS NOT NULL)) THEN (resulted_on - started_on)
    ELSE NULL::integer
END) STORED
);
CREATE TABLE public.auth_group (
    id integer NOT NULL,
    name character varying(150) NOT NULL
);
ALTER TABLE public.auth_group ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_group_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.auth_group_permissions (
    id bigint NOT NULL,
    group_id integer NOT NULL,
    permission_id integer NOT NULL
);
ALTER TABLE public.auth_group_permissions ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_group_permissions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.auth_permission (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    content_type_id integer NOT NULL,
    codename character varying(100) NOT NULL
);
ALTER TABLE public.auth_permission ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_permission_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.auth_user (
    id integer NOT NULL,
    password character varying(128) NOT NULL,
    last_login timestamp with time zone,
    is_superuser boolean NOT NULL,
    username character varying(150) NOT NULL,
    first_name character varying(150) NOT NULL,
    last_name character varying(150) NOT NULL,
    email character varying(254) NOT NULL,
    is_staff boolean NOT NULL,
    is_active boolean NOT NULL,
    date_joined timestamp with time zone NOT NULL
);
CREATE TABLE public.auth_user_groups (
    id bigint NOT NULL,
    user_id integer NOT NULL,
    group_id integer NOT NULL
);
ALTER TABLE public.auth_user_groups ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_user_groups_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE public.auth_user ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_user_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.auth_user_user_permissions (
    id bigint NOT NULL,
    user_id integer NOT NULL,
    permission_id integer NOT NULL
);
ALTER TABLE public.auth_user_user_permissions ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_user_user_permissions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.backup_backup (
    id bigint NOT NULL,
    made_at timestamp with time zone NOT NULL,
    size bigint NOT NULL,
    seconds double precision NOT NULL,
    scheduled boolean NOT NULL,
    CONSTRAINT backup_backup_size_check CHECK ((size >= 0))
);
ALTER TABLE public.backup_backup ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.backup_backup_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.billing_evidence (
    id uuid NOT NULL,
    track character varying(20) NOT NULL,
    before character varying(20) NOT NULL,
    word character varying(20) NOT NULL,
    source character varying(8) NOT NULL,
    happened_on date NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    recorded_by character varying(150) NOT NULL,
    content bytea,
    order_id uuid NOT NULL,
    practice_id uuid NOT NULL
);
CREATE TABLE public.billing_sending (
    id uuid NOT NULL,
    receiver character varying(16) NOT NULL,
    way character varying(8) NOT NULL,
    sent_on date NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    recorded_by character varying(150) NOT NULL,
    superbill_id uuid NOT NULL
);
CREATE TABLE public.billing_superbill (
    id uuid NOT NULL,
    number integer NOT NULL,
    version integer NOT NULL,
    made_at timestamp with time zone NOT NULL,
    made_by character varying(150) NOT NULL,
    content bytea NOT NULL,
    pdf bytea NOT NULL,
    sha256 character varying(64) NOT NULL,
    order_id uuid NOT NULL,
    practice_id uuid NOT NULL,
    CONSTRAINT billing_superbill_number_check CHECK ((number >= 0)),
    CONSTRAINT billing_superbill_version_check CHECK ((version >= 0))
);
CREATE TABLE public.console_savedview (
    id bigint NOT NULL,
    name character varying(60) NOT NULL,
    query character varying(500) NOT NULL,
    made_at timestamp with time zone NOT NULL,
    user_id integer NOT NULL
);
ALTER TABLE public.console_savedview ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.console_savedview_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.console_setupdraft (
    id uuid NOT NULL,
    said bytea NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    user_id integer NOT NULL
);
CREATE TABLE public.django_content_type (
    id integer NOT NULL,
    app_label character varying(100) NOT NULL,
    model character varying(100) NOT NULL
);
ALTER TABLE public.django_content_type ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.django_content_type_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.django_migrations (
    id bigint NOT NULL,
    app character varying(255) NOT NULL,
    name character varying(255) NOT NULL,
    applied timestamp with time zone NOT NULL
);
ALTER TABLE public.django_migrations ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.django_migrations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.django_session (
    session_key character varying(40) NOT NULL,
    session_data text NOT NULL,
    expire_date timestamp with time zone NOT NULL
);
CREATE TABLE public.engine_failure (
    job_id bigint NOT NULL,
    reason character varying(300) NOT NULL,
    surprises integer NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT engine_failure_surprises_check CHECK ((surprises >= 0))
);
CREATE TABLE public.engine_pulse (
    name character varying(40) NOT NULL,
    at timestamp with time zone NOT NULL
);
CREATE TABLE public.engine_tally (
    id bigint NOT NULL,
    name character varying(60) NOT NULL,
    hour timestamp with time zone NOT NULL,
    count bigint NOT NULL,
    CONSTRAINT engine_tally_count_check CHECK ((count >= 0))
);
ALTER TABLE public.engine_tally ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.engine_tally_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.filing_filedrow (
    id uuid NOT NULL,
    "table" character varying(32) NOT NULL,
    key character varying(255) NOT NULL,
    "group" character varying(64) NOT NULL,
    pk_id bigint,
    fields jsonb NOT NULL,
    intended jsonb NOT NULL,
    state character varying(10) NOT NULL,
    file_sha256 character varying(64) NOT NULL,
    file_intended character varying(64) NOT NULL,
    recreated integer NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    practice_id uuid NOT NULL,
    announced boolean DEFAULT false NOT NULL,
    CONSTRAINT filing_filedrow_recreated_check CHECK ((recreated >= 0))
);
CREATE TABLE public.filing_protocoledit (
    id uuid NOT NULL,
    base bytea,
    wanted bytea NOT NULL,
    theirs bytea,
    state character varying(8) NOT NULL,
    problem character varying(300) NOT NULL,
    by character varying(150) NOT NULL,
    at timestamp with time zone NOT NULL,
    protocol_id uuid NOT NULL
);
CREATE TABLE public.handover_apikey (
    id uuid NOT NULL,
    name character varying(100) NOT NULL,
    digest bytea NOT NULL,
    hint character varying(12) NOT NULL,
    scopes character varying(32)[] NOT NULL,
    phi_class character varying(4) NOT NULL,
    per_minute integer NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    created_by character varying(150) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone,
    free_at timestamp with time zone,
    practice_id uuid NOT NULL,
    agreement_id uuid,
    in_house boolean DEFAULT false NOT NULL,
    CONSTRAINT api_key_phi_needs_agreement CHECK (((NOT ((phi_class)::text = 'phi'::text)) OR in_house OR (agreement_id IS NOT NULL))),
    CONSTRAINT api_key_some_calls CHECK ((per_minute > 0)),
    CONSTRAINT handover_apikey_per_minute_check CHECK ((per_minute >= 0))
);
CREATE TABLE public.handover_keptcall (
    id uuid NOT NULL,
    key character varying(255) NOT NULL,
    request bytea NOT NULL,
    status smallint,
    answer bytea,
    made_at timestamp with time zone NOT NULL,
    answered_at timestamp with time zone,
    api_key_id uuid NOT NULL,
    concerns uuid,
    CONSTRAINT handover_keptcall_status_check CHECK ((status >= 0))
);
CREATE TABLE public.inbox_event (
    id uuid NOT NULL,
    peer character varying(16) NOT NULL,
    external_id character varying(255) NOT NULL,
    type character varying(100) NOT NULL,
    subject character varying(255) NOT NULL,
    body bytea NOT NULL,
    occurred_at timestamp with time zone,
    received_at timestamp with time zone NOT NULL,
    merged_at timestamp with time zone,
    settled_at timestamp with time zone,
    state character varying(12) NOT NULL,
    reason character varying(300) NOT NULL,
    deliveries integer NOT NULL,
    practice_id uuid,
    emptied_at timestamp with time zone,
    CONSTRAINT inbox_event_deliveries_check CHECK ((deliveries >= 0))
);
CREATE TABLE public.labbridge_cache (
    cache_key character varying(255) NOT NULL,
    value text NOT NULL,
    expires timestamp with time zone NOT NULL
);
CREATE TABLE public.mfa_authenticator (
    id bigint NOT NULL,
    type character varying(20) NOT NULL,
    data jsonb NOT NULL,
    user_id integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone
);
ALTER TABLE public.mfa_authenticator ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.mfa_authenticator_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.mirror_chart (
    id uuid NOT NULL,
    key character varying(255) NOT NULL,
    pk_id bigint,
    rupa_patient_id character varying(64) NOT NULL,
    person bytea NOT NULL,
    email_index bytea,
    birthday_index bytea,
    content_index bytea,
    present boolean NOT NULL,
    read_at timestamp with time zone NOT NULL,
    practice_id uuid NOT NULL,
    lookup_keys character varying(32)[],
    sync_problem character varying(300) NOT NULL,
    erased_at timestamp with time zone,
    asked_at timestamp with time zone,
    changed jsonb NOT NULL,
    sync_message character varying(1000) NOT NULL,
    sync_status character varying(8) NOT NULL,
    name_tags bytea,
    in_doubt_until timestamp with time zone
);
CREATE TABLE public.mirror_ehrid (
    id bigint NOT NULL,
    system character varying(40) NOT NULL,
    external_id character varying(255) NOT NULL,
    brought_by character varying(150) NOT NULL,
    brought_at timestamp with time zone NOT NULL,
    chart_id uuid,
    patient_id uuid,
    practice_id uuid NOT NULL
);
ALTER TABLE public.mirror_ehrid ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.mirror_ehrid_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.mirror_labcompany (
    id bigint NOT NULL,
    external_id character varying(64) NOT NULL,
    name character varying(255) NOT NULL,
    short_name character varying(255) NOT NULL,
    as_of timestamp with time zone,
    practice_id uuid NOT NULL
);
ALTER TABLE public.mirror_labcompany ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.mirror_labcompany_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.mirror_labtest (
    id bigint NOT NULL,
    external_id character varying(64) NOT NULL,
    name character varying(500) NOT NULL,
    lab_company_id_external character varying(64) NOT NULL,
    lab_company_name character varying(255) NOT NULL,
    category character varying(255) NOT NULL,
    price numeric(14,4),
    turnaround_days integer,
    shipping_days_min integer,
    shipping_days_max integer,
    is_addon boolean NOT NULL,
    parent_id_external character varying(64) NOT NULL,
    available boolean NOT NULL,
    unavailable_reason character varying(500) NOT NULL,
    url character varying(1000) NOT NULL,
    sample_report_url character varying(1000) NOT NULL,
    retired boolean NOT NULL,
    as_of timestamp with time zone,
    practice_id uuid NOT NULL
);
ALTER TABLE public.mirror_labtest ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.mirror_labtest_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.mirror_labtestchange (
    id bigint NOT NULL,
    external_id character varying(64) NOT NULL,
    field character varying(32) NOT NULL,
    before character varying(64) NOT NULL,
    after character varying(64) NOT NULL,
    at timestamp with time zone NOT NULL,
    practice_id uuid NOT NULL
);
ALTER TABLE public.mirror_labtestchange ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.mirror_labtestchange_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.mirror_notsame (
    id bigint NOT NULL,
    said_by character varying(150) NOT NULL,
    said_at timestamp with time zone NOT NULL,
    chart_id uuid NOT NULL,
    patient_id uuid NOT NULL
);
ALTER TABLE public.mirror_notsame ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.mirror_notsame_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.mirror_order (
    id uuid NOT NULL,
    external_id character varying(64) NOT NULL,
    practitioner_id_external character varying(64) NOT NULL,
    practitioner_name character varying(200) NOT NULL,
    order_intent_id character varying(64) NOT NULL,
    request_id character varying(255) NOT NULL,
    source character varying(60) NOT NULL,
    status character varying(255) NOT NULL,
    phase character varying(20) NOT NULL,
    payer character varying(60) NOT NULL,
    total_price numeric(14,4),
    notes_to_patient bytea,
    submitted_at timestamp with time zone,
    paid_at timestamp with time zone,
    checked_out_at timestamp with time zone,
    completed_at timestamp with time zone,
    canceled_at timestamp with time zone,
    is_demo boolean NOT NULL,
    as_of timestamp with time zone,
    first_seen_at timestamp with time zone NOT NULL,
    revision integer NOT NULL,
    filed_revision integer NOT NULL,
    filing_queued boolean NOT NULL,
    filed_at timestamp with time zone,
    filing_problem character varying(300) NOT NULL,
    pull_queued boolean NOT NULL,
    poll_queued boolean NOT NULL,
    pull_problem character varying(300) NOT NULL,
    practice_id uuid NOT NULL,
    patient_id uuid,
    clock jsonb NOT NULL,
    erased_at timestamp with time zone,
    hsa_fsa_status character varying(20) DEFAULT ''::character varying NOT NULL,
    payment_plan_status character varying(20) DEFAULT ''::character varying NOT NULL,
    superbill_status character varying(20) DEFAULT ''::character varying NOT NULL,
    assigned_to character varying(150) NOT NULL,
    expected_at timestamp with time zone,
    CONSTRAINT mirror_order_filed_revision_check CHECK ((filed_revision >= 0)),
    CONSTRAINT mirror_order_revision_check CHECK ((revision >= 0))
);
CREATE TABLE public.mirror_ordermoment (
    id bigint NOT NULL,
    what character varying(8) NOT NULL,
    value character varying(255) NOT NULL,
    step smallint NOT NULL,
    at timestamp with time zone NOT NULL,
    event_id uuid,
    recorded_at timestamp with time zone NOT NULL,
    order_id uuid NOT NULL,
    ordered_test_id uuid,
    practice_id uuid NOT NULL
);
CREATE VIEW public.mirror_orderchange AS
 SELECT id,
    practice_id,
    order_id,
    ordered_test_id,
    what,
    before,
    value AS after,
    step,
    at,
    event_id,
    recorded_at
   FROM ( SELECT mirror_ordermoment.id,
            mirror_ordermoment.what,
            mirror_ordermoment.value,
            mirror_ordermoment.step,
            mirror_ordermoment.at,
            mirror_ordermoment.event_id,
            mirror_ordermoment.recorded_at,
            mirror_ordermoment.order_id,
            mirror_ordermoment.ordered_test_id,
            mirror_ordermoment.practice_id,
            lag(mirror_ordermoment.value) OVER (PARTITION BY mirror_ordermoment.practice_id, mirror_ordermoment.order_id, mirror_ordermoment.ordered_test_id, mirror_ordermoment.what ORDER BY mirror_ordermoment.at, mirror_ordermoment.step, mirror_ordermoment.value) AS before
           FROM public.mirror_ordermoment) told
  WHERE ((before)::text IS DISTINCT FROM (value)::text);
CREATE TABLE public.mirror_orderedtest (
    id uuid NOT NULL,
    external_id character varying(64) NOT NULL,
    lab_test_id_external character varying(64) NOT NULL,
    results_received_at timestamp with time zone,
    problem character varying(300) NOT NULL,
    removed boolean NOT NULL,
    as_of timestamp with time zone,
    polls integer NOT NULL,
    order_id uuid NOT NULL,
    practice_id uuid NOT NULL,
    clock jsonb NOT NULL,
    CONSTRAINT mirror_orderedtest_polls_check CHECK ((polls >= 0))
);
ALTER TABLE public.mirror_ordermoment ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.mirror_ordermoment_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.mirror_ordernote (
    id uuid NOT NULL,
    text bytea NOT NULL,
    by character varying(150) NOT NULL,
    at timestamp with time zone NOT NULL,
    order_id uuid NOT NULL
);
CREATE TABLE public.mirror_patient (
    id uuid NOT NULL,
    external_id character varying(64) NOT NULL,
    person bytea,
    email_index bytea,
    birthday_index bytea,
    as_of timestamp with time zone,
    practice_id uuid NOT NULL,
    clock jsonb NOT NULL,
    lookup_keys character varying(32)[],
    erased_at timestamp with time zone,
    changed jsonb NOT NULL,
    connection_id uuid,
    name_tags bytea
);
CREATE TABLE public.mirror_patientlink (
    id bigint NOT NULL,
    reasons jsonb NOT NULL,
    made_by character varying(150) NOT NULL,
    made_at timestamp with time zone NOT NULL,
    chart_id uuid NOT NULL,
    patient_id uuid NOT NULL,
    practice_id uuid NOT NULL,
    base jsonb
);
ALTER TABLE public.mirror_patientlink ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.mirror_patientlink_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.mirror_phasetally (
    id bigint NOT NULL,
    phase character varying(20) NOT NULL,
    orders bigint NOT NULL,
    practice_id uuid NOT NULL
);
ALTER TABLE public.mirror_phasetally ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.mirror_phasetally_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.mirror_protocol (
    id uuid NOT NULL,
    external_id character varying(255) NOT NULL,
    name character varying(255) NOT NULL,
    active boolean NOT NULL,
    notes bytea,
    tests jsonb NOT NULL,
    has_row boolean NOT NULL,
    present boolean NOT NULL,
    read_at timestamp with time zone,
    seen_until timestamp with time zone NOT NULL,
    practice_id uuid NOT NULL
);
CREATE TABLE public.mirror_result (
    id uuid NOT NULL,
    version integer NOT NULL,
    as_of timestamp with time zone NOT NULL,
    received_at timestamp with time zone,
    superseded boolean NOT NULL,
    problem character varying(300) NOT NULL,
    withheld boolean NOT NULL,
    found_at timestamp with time zone NOT NULL,
    ordered_test_id uuid NOT NULL,
    hl7_id uuid,
    pdf_id uuid,
    chart_id uuid,
    named bytea,
    assigned_to character varying(150) NOT NULL,
    due_on date,
    review_changed_at timestamp with time zone,
    review_unfiled boolean NOT NULL,
    reviewed_at timestamp with time zone,
    reviewed_by character varying(150) NOT NULL,
    urgency smallint NOT NULL,
    practice_id uuid NOT NULL,
    CONSTRAINT mirror_result_urgency_check CHECK ((urgency >= 0)),
    CONSTRAINT mirror_result_version_check CHECK ((version >= 0))
);
CREATE TABLE public.mirror_resultsource (
    id uuid NOT NULL,
    as_of timestamp with time zone NOT NULL,
    latest_as_of timestamp with time zone NOT NULL,
    received_at timestamp with time zone,
    files bytea NOT NULL,
    fingerprint bytea NOT NULL,
    state character varying(8) NOT NULL,
    reason character varying(300) NOT NULL,
    ordered_test_id uuid NOT NULL
);
CREATE TABLE public.mirror_resultvalue (
    id uuid NOT NULL,
    number integer NOT NULL,
    analyte character varying(255) NOT NULL,
    loinc character varying(20) NOT NULL,
    reading bytea NOT NULL,
    observed_at timestamp with time zone,
    observed_text character varying(19) NOT NULL,
    result_id uuid NOT NULL,
    CONSTRAINT mirror_resultvalue_number_check CHECK ((number >= 0))
);
CREATE TABLE public.mirror_reviewcase (
    id uuid NOT NULL,
    candidates jsonb NOT NULL,
    reasons jsonb NOT NULL,
    ways_out jsonb NOT NULL,
    actions jsonb NOT NULL,
    state character varying(8) NOT NULL,
    decision character varying(20) NOT NULL,
    decided_by character varying(150) NOT NULL,
    decided_at timestamp with time zone,
    why character varying(500) NOT NULL,
    undone_by character varying(150) NOT NULL,
    undone_at timestamp with time zone,
    seen bytea NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    chart_id uuid,
    decided_patient_id uuid,
    patient_id uuid,
    practice_id uuid NOT NULL,
    before jsonb NOT NULL,
    kind character varying(8) NOT NULL,
    parts jsonb NOT NULL,
    reopened boolean NOT NULL,
    rows jsonb NOT NULL
);
CREATE TABLE public.mirror_rowtouch (
    id bigint NOT NULL,
    pk_id bigint NOT NULL,
    queued boolean NOT NULL,
    practice_id uuid NOT NULL
);
ALTER TABLE public.mirror_rowtouch ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.mirror_rowtouch_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.mirror_storedfile (
    id uuid NOT NULL,
    sha256 character varying(64) NOT NULL,
    kind character varying(8) NOT NULL,
    size integer NOT NULL,
    content bytea NOT NULL,
    stored_at timestamp with time zone NOT NULL,
    practice_id uuid NOT NULL,
    emptied_at timestamp with time zone,
    CONSTRAINT mirror_storedfile_size_check CHECK ((size >= 0))
);
CREATE TABLE public.mirror_take (
    id uuid NOT NULL,
    as_of timestamp with time zone NOT NULL,
    hl7_id uuid,
    pdf_id uuid,
    source_id uuid NOT NULL
);
CREATE TABLE public.ordering_formerintent (
    id bigint NOT NULL,
    mark uuid NOT NULL,
    intent_id character varying(64) NOT NULL,
    order_external_id character varying(64) NOT NULL,
    brings_patient boolean NOT NULL,
    put_away_at timestamp with time zone NOT NULL,
    practice_id uuid NOT NULL,
    request_id uuid NOT NULL
);
ALTER TABLE public.ordering_formerintent ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.ordering_formerintent_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.ordering_orderrequest (
    id uuid NOT NULL,
    key character varying(255) NOT NULL,
    door character varying(6) NOT NULL,
    patient_key character varying(255) NOT NULL,
    test_ids jsonb NOT NULL,
    protocol_id character varying(255) NOT NULL,
    practitioner_email character varying(255) NOT NULL,
    asked_by character varying(150) NOT NULL,
    back_url character varying(1000) NOT NULL,
    state character varying(8) NOT NULL,
    message character varying(500) NOT NULL,
    mark uuid NOT NULL,
    attempts integer NOT NULL,
    asked_at timestamp with time zone,
    intent_id character varying(64) NOT NULL,
    intent_at timestamp with time zone,
    checkout_url bytea,
    return_token bytea,
    return_hash bytea,
    returned_at timestamp with time zone,
    order_external_id character varying(64) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    chart_id uuid,
    practice_id uuid NOT NULL,
    brings_patient boolean NOT NULL,
    chosen_ids jsonb NOT NULL,
    in_doubt_until timestamp with time zone,
    other_order_id character varying(64) NOT NULL,
    row_pk bigint,
    rupa_patient_id character varying(64) NOT NULL,
    tried_at timestamp with time zone,
    waits_for character varying(10) NOT NULL,
    wish_at timestamp with time zone,
    wish_by character varying(150) DEFAULT ''::character varying NOT NULL,
    wish_mailed_at timestamp with time zone,
    open_already jsonb,
    CONSTRAINT ordering_orderrequest_attempts_check CHECK ((attempts >= 0))
);
CREATE TABLE public.outbox_agreement (
    id uuid NOT NULL,
    party character varying(200) NOT NULL,
    signed_on date NOT NULL,
    expires_on date NOT NULL,
    sha256 character varying(64) NOT NULL,
    recorded_by character varying(150) NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    practice_id uuid NOT NULL,
    CONSTRAINT agreement_span CHECK ((expires_on >= signed_on))
);
CREATE TABLE public.outbox_delivery (
    id uuid NOT NULL,
    about character varying(120) NOT NULL,
    state character varying(9) NOT NULL,
    attempts integer NOT NULL,
    first_tried_at timestamp with time zone,
    next_at timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone,
    settled_at timestamp with time zone,
    status smallint,
    problem character varying(300) NOT NULL,
    destination_id uuid NOT NULL,
    fact_id bigint NOT NULL,
    recorded_people bytea,
    CONSTRAINT outbox_delivery_attempts_check CHECK ((attempts >= 0)),
    CONSTRAINT outbox_delivery_status_check CHECK ((status >= 0))
);
CREATE TABLE public.outbox_destination (
    id uuid NOT NULL,
    name character varying(100) NOT NULL,
    host character varying(253) NOT NULL,
    url bytea NOT NULL,
    data_class character varying(13) NOT NULL,
    kinds character varying(32)[] NOT NULL,
    secret bytea NOT NULL,
    old_secret bytea,
    old_until timestamp with time zone,
    paused_at timestamp with time zone,
    paused_why character varying(300) NOT NULL,
    failures integer NOT NULL,
    failing_since timestamp with time zone,
    slow boolean NOT NULL,
    closed_until timestamp with time zone,
    problem character varying(300) NOT NULL,
    delivered_at timestamp with time zone,
    created_by character varying(150) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    removed_at timestamp with time zone,
    agreement_id uuid,
    practice_id uuid NOT NULL,
    CONSTRAINT destination_phi_needs_agreement CHECK (((NOT ((data_class)::text = 'phi'::text)) OR (agreement_id IS NOT NULL))),
    CONSTRAINT outbox_destination_failures_check CHECK ((failures >= 0))
);
CREATE TABLE public.outbox_fact (
    id bigint NOT NULL,
    kind character varying(32) NOT NULL,
    about character varying(120) NOT NULL,
    words jsonb NOT NULL,
    at timestamp with time zone NOT NULL,
    practice_id uuid NOT NULL
);
ALTER TABLE public.outbox_fact ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.outbox_fact_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.practices_callcount (
    id bigint NOT NULL,
    account character varying(255) NOT NULL,
    purpose character varying(40) NOT NULL,
    day date NOT NULL,
    calls bigint NOT NULL,
    CONSTRAINT practices_callcount_calls_check CHECK ((calls >= 0))
);
ALTER TABLE public.practices_callcount ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.practices_callcount_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.practices_configversion (
    id uuid NOT NULL,
    number integer NOT NULL,
    area character varying(8) NOT NULL,
    made_at timestamp with time zone NOT NULL,
    actor_kind character varying(10) NOT NULL,
    actor_name character varying(150) NOT NULL,
    why character varying(300) NOT NULL,
    before text NOT NULL,
    after text NOT NULL,
    sentences jsonb NOT NULL,
    sealed bytea,
    practice_id uuid NOT NULL,
    undoes_id uuid,
    CONSTRAINT practices_configversion_number_check CHECK ((number >= 0))
);
CREATE TABLE public.practices_connection (
    id uuid NOT NULL,
    peer character varying(16) NOT NULL,
    account character varying(255) NOT NULL,
    state character varying(12) NOT NULL,
    problem character varying(300) NOT NULL,
    credentials bytea,
    given_tokens jsonb NOT NULL,
    token_version integer NOT NULL,
    spellings jsonb NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    practice_id uuid NOT NULL,
    external_id character varying(64) NOT NULL,
    refused_at timestamp with time zone,
    CONSTRAINT practices_connection_token_version_check CHECK ((token_version >= 0))
);
CREATE TABLE public.practices_consent (
    id bigint NOT NULL,
    state_hash bytea NOT NULL,
    started_by character varying(150) NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    outcome character varying(300) NOT NULL,
    practice_id uuid NOT NULL
);
ALTER TABLE public.practices_consent ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.practices_consent_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.practices_dryrun (
    id uuid NOT NULL,
    base integer NOT NULL,
    proposal jsonb NOT NULL,
    started_by character varying(150) NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    problem character varying(300) NOT NULL,
    read integer NOT NULL,
    expected integer NOT NULL,
    counts jsonb NOT NULL,
    rows jsonb NOT NULL,
    practice_id uuid NOT NULL,
    CONSTRAINT practices_dryrun_base_check CHECK ((base >= 0)),
    CONSTRAINT practices_dryrun_expected_check CHECK ((expected >= 0)),
    CONSTRAINT practices_dryrun_read_check CHECK ((read >= 0))
);
CREATE TABLE public.practices_peerclock (
    peer character varying(16) NOT NULL,
    ahead_seconds double precision NOT NULL,
    read_at timestamp with time zone NOT NULL
);
CREATE TABLE public.practices_practice (
    id uuid NOT NULL,
    slug character varying(50) NOT NULL,
    name character varying(200) NOT NULL,
    time_zone character varying(64) NOT NULL,
    config jsonb NOT NULL,
    applied_at timestamp with time zone NOT NULL,
    charts_read_at timestamp with time zone,
    catalog_read_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    patients_read_at timestamp with time zone,
    alert_channels bytea,
    patients_read_took interval
);
CREATE TABLE public.practices_practitioner (
    id bigint NOT NULL,
    external_id character varying(64) NOT NULL,
    name character varying(200) NOT NULL,
    clinic_id character varying(64) NOT NULL,
    learnt_at timestamp with time zone NOT NULL,
    connection_id uuid NOT NULL,
    practice_id uuid NOT NULL
);
ALTER TABLE public.practices_practitioner ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.practices_practitioner_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.practices_preparation (
    id bigint NOT NULL,
    what character varying(16) NOT NULL,
    fingerprint character varying(64) NOT NULL,
    doing character varying(60) NOT NULL,
    done integer NOT NULL,
    total integer,
    problem character varying(500) NOT NULL,
    asked_by character varying(150) NOT NULL,
    asked_at timestamp with time zone,
    finished_at timestamp with time zone,
    practice_id uuid NOT NULL,
    CONSTRAINT practices_preparation_done_check CHECK ((done >= 0)),
    CONSTRAINT practices_preparation_total_check CHECK ((total >= 0))
);
ALTER TABLE public.practices_preparation ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.practices_preparation_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE UNLOGGED TABLE public.practices_rate (
    account text NOT NULL,
    rate double precision NOT NULL,
    free_at timestamp with time zone NOT NULL
);
CREATE TABLE public.procrastinate_events (
    id bigint NOT NULL,
    job_id bigint NOT NULL,
    type public.procrastinate_job_event_type,
    at timestamp with time zone DEFAULT now()
);
CREATE SEQUENCE public.procrastinate_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.procrastinate_events_id_seq OWNED BY public.procrastinate_events.id;
CREATE SEQUENCE public.procrastinate_jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.procrastinate_jobs_id_seq OWNED BY public.procrastinate_jobs.id;
CREATE TABLE public.procrastinate_periodic_defers (
    id bigint NOT NULL,
    task_name character varying(128) NOT NULL,
    defer_timestamp bigint,
    job_id bigint,
    periodic_id character varying(128) DEFAULT ''::character varying NOT NULL
);
CREATE SEQUENCE public.procrastinate_periodic_defers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.procrastinate_periodic_defers_id_seq OWNED BY public.procrastinate_periodic_defers.id;
CREATE TABLE public.procrastinate_workers (
    id bigint NOT NULL,
    last_heartbeat timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.procrastinate_workers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.procrastinate_workers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.reconcile_filecheck (
    id bigint NOT NULL,
    checked_at timestamp with time zone NOT NULL,
    source_id uuid NOT NULL
);
ALTER TABLE public.reconcile_filecheck ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.reconcile_filecheck_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.reconcile_ledgerentry (
    id bigint NOT NULL,
    seq integer NOT NULL,
    chain character varying(100) NOT NULL,
    date date NOT NULL,
    previous character varying(64) NOT NULL,
    body jsonb NOT NULL,
    digest character varying(64) NOT NULL,
    key character varying(16) NOT NULL,
    signature character varying(100) NOT NULL,
    practice_id uuid NOT NULL,
    CONSTRAINT reconcile_ledgerentry_seq_check CHECK ((seq >= 0))
);
ALTER TABLE public.reconcile_ledgerentry ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.reconcile_ledgerentry_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.reconcile_listed (
    id bigint NOT NULL,
    external_id character varying(255) NOT NULL,
    present boolean NOT NULL,
    verdict character varying(8) NOT NULL,
    reason character varying(300) NOT NULL,
    fingerprint bytea,
    revision integer NOT NULL,
    listed_at timestamp with time zone NOT NULL,
    practice_id uuid NOT NULL
);
ALTER TABLE public.reconcile_listed ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.reconcile_listed_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.reconcile_repair (
    id bigint NOT NULL,
    kind character varying(16) NOT NULL,
    subject character varying(300) NOT NULL,
    made_at timestamp with time zone NOT NULL,
    sweep_id uuid NOT NULL
);
ALTER TABLE public.reconcile_repair ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.reconcile_repair_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.reconcile_rowround (
    id bigint NOT NULL,
    "table" character varying(32) NOT NULL,
    after bigint NOT NULL,
    whole_at timestamp with time zone,
    practice_id uuid NOT NULL
);
ALTER TABLE public.reconcile_rowround ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.reconcile_rowround_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.reconcile_sweep (
    id uuid NOT NULL,
    state character varying(8) NOT NULL,
    depth character varying(8) NOT NULL,
    started_at timestamp with time zone NOT NULL,
    repaired_at timestamp with time zone,
    finished_at timestamp with time zone,
    listed_whole boolean NOT NULL,
    counts jsonb NOT NULL,
    "left" jsonb NOT NULL,
    practice_id uuid NOT NULL
);
CREATE TABLE public.trust_auditentry (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    action character varying(40) NOT NULL,
    actor_kind character varying(10) NOT NULL,
    actor_id character varying(64) NOT NULL,
    actor_name character varying(150) NOT NULL,
    practice character varying(50) NOT NULL,
    patients character varying(32)[] NOT NULL,
    subject character varying(120) NOT NULL,
    source character varying(45) NOT NULL,
    why character varying(300) NOT NULL,
    outcome character varying(10) NOT NULL,
    count bigint,
    detail jsonb NOT NULL,
    seq bigint,
    previous character varying(64) NOT NULL,
    digest character varying(64) NOT NULL,
    CONSTRAINT trust_auditentry_count_check CHECK ((count >= 0)),
    CONSTRAINT trust_auditentry_seq_check CHECK ((seq >= 0))
);
ALTER TABLE public.trust_auditentry ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.trust_auditentry_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.trust_audithead (
    id bigint NOT NULL,
    seq bigint NOT NULL,
    line text NOT NULL,
    at timestamp with time zone NOT NULL,
    practice character varying(50) NOT NULL,
    CONSTRAINT trust_audithead_seq_check CHECK ((seq >= 0))
);
ALTER TABLE public.trust_audithead ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.trust_audithead_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.trust_datakey (
    id uuid NOT NULL,
    wrapped bytea,
    made_at timestamp with time zone NOT NULL,
    destroyed_at timestamp with time zone
);
CREATE TABLE public.trust_formerkey (
    id bigint NOT NULL,
    chain character varying(100) NOT NULL,
    seq bigint NOT NULL,
    digest character varying(64) NOT NULL,
    public character varying(64) NOT NULL,
    at character varying(40) NOT NULL,
    key character varying(16) NOT NULL,
    signature character varying(100) NOT NULL,
    CONSTRAINT trust_formerkey_seq_check CHECK ((seq >= 0))
);
ALTER TABLE public.trust_formerkey ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.trust_formerkey_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.trust_formerpseudonym (
    id bigint NOT NULL,
    pseudonym character varying(32) NOT NULL,
    model character varying(40) NOT NULL,
    "row" uuid NOT NULL,
    practice character varying(50) NOT NULL
);
ALTER TABLE public.trust_formerpseudonym ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.trust_formerpseudonym_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.trust_legalhold (
    id bigint NOT NULL,
    practice character varying(50) NOT NULL,
    patients character varying(32)[] NOT NULL,
    why character varying(300) NOT NULL,
    set_by character varying(150) NOT NULL,
    set_at timestamp with time zone NOT NULL,
    lifted_at timestamp with time zone
);
ALTER TABLE public.trust_legalhold ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.trust_legalhold_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE ONLY public.procrastinate_events ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_events_id_seq'::regclass);
ALTER TABLE ONLY public.procrastinate_jobs ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_jobs_id_seq'::regclass);
ALTER TABLE ONLY public.procrastinate_periodic_defers ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_periodic_defers_id_seq'::regclass);
INSERT INTO public.auth_permission VALUES
	(1, 'Can add permission', 1, 'add_permission'),
	(2, 'Can change permission', 1, 'change_permission'),
	(3, 'Can delete permission', 1, 'delete_permission'),
	(4, 'Can view permission', 1, 'view_permission'),
	(5, 'Can add group', 2, 'add_group'),
	(6, 'Can change group', 2, 'change_group'),
	(7, 'Can delete group', 2, 'delete_group'),
	(8, 'Can view group', 2, 'view_group'),
	(9, 'Can add user', 3, 'add_user'),
	(10, 'Can change user', 3, 'change_user'),
	(11, 'Can delete user', 3, 'delete_user'),
	(12, 'Can view user', 3, 'view_user'),
	(13, 'Can add content type', 4, 'add_contenttype'),
	(14, 'Can change content type', 4, 'change_contenttype'),
	(15, 'Can delete content type', 4, 'delete_contenttype'),
	(16, 'Can view content type', 4, 'view_contenttype'),
	(17, 'Can add session', 5, 'add_session'),
	(18, 'Can change session', 5, 'change_session'),
	(19, 'Can delete session', 5, 'delete_session'),
	(20, 'Can view session', 5, 'view_session'),
	(21, 'Can add directory sign in', 6, 'add_directorysignin'),
	(22, 'Can change directory sign in', 6, 'change_directorysignin'),
	(23, 'Can delete directory sign in', 6, 'delete_directorysignin'),
	(24, 'Can view directory sign in', 6, 'view_directorysignin'),
	(25, 'Can add signing key', 7, 'add_signingkey'),
	(26, 'Can change signing key', 7, 'change_signingkey'),
	(27, 'Can delete signing key', 7, 'delete_signingkey'),
	(28, 'Can view signing key', 7, 'view_signingkey'),
	(29, 'Can add membership', 8, 'add_membership'),
	(30, 'Can change membership', 8, 'change_membership'),
	(31, 'Can delete membership', 8, 'delete_membership'),
	(32, 'Can view membership', 8, 'view_membership'),
	(33, 'Can add email address', 9, 'add_emailaddress'),
	(34, 'Can change email address', 9, 'change_emailaddress'),
	(35, 'Can delete email address', 9, 'delete_emailaddress'),
	(36, 'Can view email address', 9, 'view_emailaddress'),
	(37, 'Can add email confirmation', 10, 'add_emailconfirmation'),
	(38, 'Can change email confirmation', 10, 'change_emailconfirmation'),
	(39, 'Can delete email confirmation', 10, 'delete_emailconfirmation'),
	(40, 'Can view email confirmation', 10, 'view_emailconfirmation'),
	(41, 'Can add authenticator', 11, 'add_authenticator'),
	(42, 'Can change authenticator', 11, 'change_authenticator'),
	(43, 'Can delete authenticator', 11, 'delete_authenticator'),
	(44, 'Can view authenticator', 11, 'view_authenticator'),
	(45, 'Can add procrastinate event', 12, 'add_procrastinateevent'),
	(46, 'Can change procrastinate event', 12, 'change_procrastinateevent'),
	(47, 'Can delete procrastinate event', 12, 'delete_procrastinateevent'),
	(48, 'Can view procrastinate event', 12, 'view_procrastinateevent'),
	(49, 'Can add procrastinate job', 13, 'add_procrastinatejob'),
	(50, 'Can change procrastinate job', 13, 'change_procrastinatejob'),
	(51, 'Can delete procrastinate job', 13, 'delete_procrastinatejob'),
	(52, 'Can view procrastinate job', 13, 'view_procrastinatejob'),
	(53, 'Can add procrastinate periodic defer', 14, 'add_procrastinateperiodicdefer'),
	(54, 'Can change procrastinate periodic defer', 14, 'change_procrastinateperiodicdefer'),
	(55, 'Can delete procrastinate periodic defer', 14, 'delete_procrastinateperiodicdefer'),
	(56, 'Can view procrastinate periodic defer', 14, 'view_procrastinateperiodicdefer'),
	(57, 'Can add procrastinate worker', 15, 'add_procrastinateworker'),
	(58, 'Can change procrastinate worker', 15, 'change_procrastinateworker'),
	(59, 'Can delete procrastinate worker', 15, 'delete_procrastinateworker'),
	(60, 'Can view procrastinate worker', 15, 'view_procrastinateworker'),
	(61, 'Can add audit head', 16, 'add_audithead'),
	(62, 'Can change audit head', 16, 'change_audithead'),
	(63, 'Can delete audit head', 16, 'delete_audithead'),
	(64, 'Can view audit head', 16, 'view_audithead'),
	(65, 'Can add audit entry', 17, 'add_auditentry'),
	(66, 'Can change audit entry', 17, 'change_auditentry'),
	(67, 'Can delete audit entry', 17, 'delete_auditentry'),
	(68, 'Can view audit entry', 17, 'view_auditentry'),
	(69, 'Can add data key', 18, 'add_datakey'),
	(70, 'Can change data key', 18, 'change_datakey'),
	(71, 'Can delete data key', 18, 'delete_datakey'),
	(72, 'Can view data key', 18, 'view_datakey'),
	(73, 'Can add legal hold', 19, 'add_legalhold'),
	(74, 'Can change legal hold', 19, 'change_legalhold'),
	(75, 'Can delete legal hold', 19, 'delete_legalhold'),
	(76, 'Can view legal hold', 19, 'view_legalhold'),
	(77, 'Can add former key', 20, 'add_formerkey'),
	(78, 'Can change former key', 20, 'change_formerkey'),
	(79, 'Can delete former key', 20, 'delete_formerkey'),
	(80, 'Can view former key', 20, 'view_formerkey'),
	(81, 'Can add former pseudonym', 21, 'add_formerpseudonym'),
	(82, 'Can change former pseudonym', 21, 'change_formerpseudonym'),
	(83, 'Can delete former pseudonym', 21, 'delete_formerpseudonym'),
	(84, 'Can view former pseudonym', 21, 'view_formerpseudonym'),
	(85, 'Can add pulse', 22, 'add_pulse'),
	(86, 'Can change pulse', 22, 'change_pulse'),
	(87, 'Can delete pulse', 22, 'delete_pulse'),
	(88, 'Can view pulse', 22, 'view_pulse'),
	(89, 'Can add tally', 23, 'add_tally'),
	(90, 'Can change tally', 23, 'change_tally'),
	(91, 'Can delete tally', 23, 'delete_tally'),
	(92, 'Can view tally', 23, 'view_tally'),
	(93, 'Can add failure', 24, 'add_failure'),
	(94, 'Can change failure', 24, 'change_failure'),
	(95, 'Can delete failure', 24, 'delete_failure'),
	(96, 'Can view failure', 24, 'view_failure'),
	(97, 'Can add agreement', 25, 'add_agreement'),
	(98, 'Can change agreement', 25, 'change_agreement'),
	(99, 'Can delete agreement', 25, 'delete_agreement'),
	(100, 'Can view agreement', 25, 'view_agreement'),
	(101, 'Can add destination', 26, 'add_destination'),
	(102, 'Can change destination', 26, 'change_destination'),
	(103, 'Can delete destination', 26, 'delete_destination'),
	(104, 'Can view destination', 26, 'view_destination'),
	(105, 'Can add fact', 27, 'add_fact'),
	(106, 'Can change fact', 27, 'change_fact'),
	(107, 'Can delete fact', 27, 'delete_fact'),
	(108, 'Can view fact', 27, 'view_fact'),
	(109, 'Can add delivery', 28, 'add_delivery'),
	(110, 'Can change delivery', 28, 'change_delivery'),
	(111, 'Can delete delivery', 28, 'delete_delivery'),
	(112, 'Can view delivery', 28, 'view_delivery'),
	(113, 'Can add practice', 29, 'add_practice'),
	(114, 'Can change practice', 29, 'change_practice'),
	(115, 'Can delete practice', 29, 'delete_practice'),
	(116, 'Can view practice', 29, 'view_practice'),
	(117, 'Can add call count', 30, 'add_callcount'),
	(118, 'Can change call count', 30, 'change_callcount'),
	(119, 'Can delete call count', 30, 'delete_callcount'),
	(120, 'Can view call count', 30, 'view_callcount'),
	(121, 'Can add consent', 31, 'add_consent'),
	(122, 'Can change consent', 31, 'change_consent'),
	(123, 'Can delete consent', 31, 'delete_consent'),
	(124, 'Can view consent', 31, 'view_consent'),
	(125, 'Can add connection', 32, 'add_connection'),
	(126, 'Can change connection', 32, 'change_connection'),
	(127, 'Can delete connection', 32, 'delete_connection'),
	(128, 'Can view connection', 32, 'view_connection'),
	(129, 'Can add practitioner', 33, 'add_practitioner'),
	(130, 'Can change practitioner', 33, 'change_practitioner'),
	(131, 'Can delete practitioner', 33, 'delete_practitioner'),
	(132, 'Can view practitioner', 33, 'view_practitioner'),
	(133, 'Can add peer clock', 34, 'add_peerclock'),
	(134, 'Can change peer clock', 34, 'change_peerclock'),
	(135, 'Can delete peer clock', 34, 'delete_peerclock'),
	(136, 'Can view peer clock', 34, 'view_peerclock'),
	(137, 'Can add preparation', 35, 'add_preparation'),
	(138, 'Can change preparation', 35, 'change_preparation'),
	(139, 'Can delete preparation', 35, 'delete_preparation'),
	(140, 'Can view preparation', 35, 'view_preparation'),
	(141, 'Can add dry run', 36, 'add_dryrun'),
	(142, 'Can change dry run', 36, 'change_dryrun'),
	(143, 'Can delete dry run', 36, 'delete_dryrun'),
	(144, 'Can view dry run', 36, 'view_dryrun'),
	(145, 'Can add config version', 37, 'add_configversion'),
	(146, 'Can change config version', 37, 'change_configversion'),
	(147, 'Can delete config version', 37, 'delete_configversion'),
	(148, 'Can view config version', 37, 'view_configversion'),
	(149, 'Can add digest', 38, 'add_digest'),
	(150, 'Can change digest', 38, 'change_digest'),
	(151, 'Can delete digest', 38, 'delete_digest'),
	(152, 'Can view digest', 38, 'view_digest'),
	(153, 'Can add alert', 39, 'add_alert'),
	(154, 'Can change alert', 39, 'change_alert'),
	(155, 'Can delete alert', 39, 'delete_alert'),
	(156, 'Can view alert', 39, 'view_alert'),
	(157, 'Can add notice', 40, 'add_notice'),
	(158, 'Can change notice', 40, 'change_notice'),
	(159, 'Can delete notice', 40, 'delete_notice'),
	(160, 'Can view notice', 40, 'view_notice'),
	(161, 'Can add backup', 41, 'add_backup'),
	(162, 'Can change backup', 41, 'change_backup'),
	(163, 'Can delete backup', 41, 'delete_backup'),
	(164, 'Can view backup', 41, 'view_backup'),
	(165, 'Can add event', 42, 'add_event'),
	(166, 'Can change event', 42, 'change_event'),
	(167, 'Can delete event', 42, 'delete_event'),
	(168, 'Can view event', 42, 'view_event'),
	(169, 'Can add chart', 43, 'add_chart'),
	(170, 'Can change chart', 43, 'change_chart'),
	(171, 'Can delete chart', 43, 'delete_chart'),
	(172, 'Can view chart', 43, 'view_chart'),
	(173, 'Can add lab company', 44, 'add_labcompany'),
	(174, 'Can change lab company', 44, 'change_labcompany'),
	(175, 'Can delete lab company', 44, 'delete_labcompany'),
	(176, 'Can view lab company', 44, 'view_labcompany'),
	(177, 'Can add lab test', 45, 'add_labtest'),
	(178, 'Can change lab test', 45, 'change_labtest'),
	(179, 'Can delete lab test', 45, 'delete_labtest'),
	(180, 'Can view lab test', 45, 'view_labtest'),
	(181, 'Can add order', 46, 'add_order'),
	(182, 'Can change order', 46, 'change_order'),
	(183, 'Can delete order', 46, 'delete_order'),
	(184, 'Can view order', 46, 'view_order'),
	(185, 'Can add ordered test', 47, 'add_orderedtest'),
	(186, 'Can change ordered test', 47, 'change_orderedtest'),
	(187, 'Can delete ordered test', 47, 'delete_orderedtest'),
	(188, 'Can view ordered test', 47, 'view_orderedtest'),
	(189, 'Can add patient', 48, 'add_patient'),
	(190, 'Can change patient', 48, 'change_patient'),
	(191, 'Can delete patient', 48, 'delete_patient'),
	(192, 'Can view patient', 48, 'view_patient'),
	(193, 'Can add patient link', 49, 'add_patientlink'),
	(194, 'Can change patient link', 49, 'change_patientlink'),
	(195, 'Can delete patient link', 49, 'delete_patientlink'),
	(196, 'Can view patient link', 49, 'view_patientlink'),
	(197, 'Can add result', 50, 'add_result'),
	(198, 'Can change result', 50, 'change_result'),
	(199, 'Can delete result', 50, 'delete_result'),
	(200, 'Can view result', 50, 'view_result'),
	(201, 'Can add result source', 51, 'add_resultsource'),
	(202, 'Can change result source', 51, 'change_resultsource'),
	(203, 'Can delete result source', 51, 'delete_resultsource'),
	(204, 'Can view result source', 51, 'view_resultsource'),
	(205, 'Can add result value', 52, 'add_resultvalue'),
	(206, 'Can change result value', 52, 'change_resultvalue'),
	(207, 'Can delete result value', 52, 'delete_resultvalue'),
	(208, 'Can view result value', 52, 'view_resultvalue'),
	(209, 'Can add row touch', 53, 'add_rowtouch'),
	(210, 'Can change row touch', 53, 'change_rowtouch'),
	(211, 'Can delete row touch', 53, 'delete_rowtouch'),
	(212, 'Can view row touch', 53, 'view_rowtouch'),
	(213, 'Can add stored file', 54, 'add_storedfile'),
	(214, 'Can change stored file', 54, 'change_storedfile'),
	(215, 'Can delete stored file', 54, 'delete_storedfile'),
	(216, 'Can view stored file', 54, 'view_storedfile'),
	(217, 'Can add take', 55, 'add_take'),
	(218, 'Can change take', 55, 'change_take'),
	(219, 'Can delete take', 55, 'delete_take'),
	(220, 'Can view take', 55, 'view_take'),
	(221, 'Can add not same', 56, 'add_notsame'),
	(222, 'Can change not same', 56, 'change_notsame'),
	(223, 'Can delete not same', 56, 'delete_notsame'),
	(224, 'Can view not same', 56, 'view_notsame'),
	(225, 'Can add review case', 57, 'add_reviewcase'),
	(226, 'Can change review case', 57, 'change_reviewcase'),
	(227, 'Can delete review case', 57, 'delete_reviewcase'),
	(228, 'Can view review case', 57, 'view_reviewcase'),
	(229, 'Can add lab test change', 58, 'add_labtestchange'),
	(230, 'Can change lab test change', 58, 'change_labtestchange'),
	(231, 'Can delete lab test change', 58, 'delete_labtestchange'),
	(232, 'Can view lab test change', 58, 'view_labtestchange'),
	(233, 'Can add order note', 59, 'add_ordernote'),
	(234, 'Can change order note', 59, 'change_ordernote'),
	(235, 'Can delete order note', 59, 'delete_ordernote'),
	(236, 'Can view order note', 59, 'view_ordernote'),
	(237, 'Can add order change', 60, 'add_orderchange'),
	(238, 'Can change order change', 60, 'change_orderchange'),
	(239, 'Can delete order change', 60, 'delete_orderchange'),
	(240, 'Can view order change', 60, 'view_orderchange'),
	(241, 'Can add order moment', 61, 'add_ordermoment'),
	(242, 'Can change order moment', 61, 'change_ordermoment'),
	(243, 'Can delete order moment', 61, 'delete_ordermoment'),
	(244, 'Can view order moment', 61, 'view_ordermoment'),
	(245, 'Can add ehr id', 62, 'add_ehrid'),
	(246, 'Can change ehr id', 62, 'change_ehrid'),
	(247, 'Can delete ehr id', 62, 'delete_ehrid'),
	(248, 'Can view ehr id', 62, 'view_ehrid'),
	(249, 'Can add protocol', 63, 'add_protocol'),
	(250, 'Can change protocol', 63, 'change_protocol'),
	(251, 'Can delete protocol', 63, 'delete_protocol'),
	(252, 'Can view protocol', 63, 'view_protocol'),
	(253, 'Can add phase tally', 64, 'add_phasetally'),
	(254, 'Can change phase tally', 64, 'change_phasetally'),
	(255, 'Can delete phase tally', 64, 'delete_phasetally'),
	(256, 'Can view phase tally', 64, 'view_phasetally'),
	(257, 'Can add filed row', 65, 'add_filedrow'),
	(258, 'Can change filed row', 65, 'change_filedrow'),
	(259, 'Can delete filed row', 65, 'delete_filedrow'),
	(260, 'Can view filed row', 65, 'view_filedrow'),
	(261, 'Can add protocol edit', 66, 'add_protocoledit'),
	(262, 'Can change protocol edit', 66, 'change_protocoledit'),
	(263, 'Can delete protocol edit', 66, 'delete_protocoledit'),
	(264, 'Can view protocol edit', 66, 'view_protocoledit'),
	(265, 'Can add order request', 67, 'add_orderrequest'),
	(266, 'Can change order request', 67, 'change_orderrequest'),
	(267, 'Can delete order request', 67, 'delete_orderrequest'),
	(268, 'Can view order request', 67, 'view_orderrequest'),
	(269, 'Can add former intent', 68, 'add_formerintent'),
	(270, 'Can change former intent', 68, 'change_formerintent'),
	(271, 'Can delete former intent', 68, 'delete_formerintent'),
	(272, 'Can view former intent', 68, 'view_formerintent'),
	(273, 'Can add superbill', 69, 'add_superbill'),
	(274, 'Can change superbill', 69, 'change_superbill'),
	(275, 'Can delete superbill', 69, 'delete_superbill'),
	(276, 'Can view superbill', 69, 'view_superbill'),
	(277, 'Can add sending', 70, 'add_sending'),
	(278, 'Can change sending', 70, 'change_sending'),
	(279, 'Can delete sending', 70, 'delete_sending'),
	(280, 'Can view sending', 70, 'view_sending'),
	(281, 'Can add evidence', 71, 'add_evidence'),
	(282, 'Can change evidence', 71, 'change_evidence'),
	(283, 'Can delete evidence', 71, 'delete_evidence'),
	(284, 'Can view evidence', 71, 'view_evidence'),
	(285, 'Can add order fact', 72, 'add_orderfact'),
	(286, 'Can change order fact', 72, 'change_orderfact'),
	(287, 'Can delete order fact', 72, 'delete_orderfact'),
	(288, 'Can view order fact', 72, 'view_orderfact'),
	(289, 'Can add test fact', 73, 'add_testfact'),
	(290, 'Can change test fact', 73, 'change_testfact'),
	(291, 'Can delete test fact', 73, 'delete_testfact'),
	(292, 'Can view test fact', 73, 'view_testfact'),
	(293, 'Can add result fact', 74, 'add_resultfact'),
	(294, 'Can change result fact', 74, 'change_resultfact'),
	(295, 'Can delete result fact', 74, 'delete_resultfact'),
	(296, 'Can view result fact', 74, 'view_resultfact'),
	(297, 'Can add file check', 75, 'add_filecheck'),
	(298, 'Can change file check', 75, 'change_filecheck'),
	(299, 'Can delete file check', 75, 'delete_filecheck'),
	(300, 'Can view file check', 75, 'view_filecheck'),
	(301, 'Can add sweep', 76, 'add_sweep'),
	(302, 'Can change sweep', 76, 'change_sweep'),
	(303, 'Can delete sweep', 76, 'delete_sweep'),
	(304, 'Can view sweep', 76, 'view_sweep'),
	(305, 'Can add repair', 77, 'add_repair'),
	(306, 'Can change repair', 77, 'change_repair'),
	(307, 'Can delete repair', 77, 'delete_repair'),
	(308, 'Can view repair', 77, 'view_repair'),
	(309, 'Can add ledger entry', 78, 'add_ledgerentry'),
	(310, 'Can change ledger entry', 78, 'change_ledgerentry'),
	(311, 'Can delete ledger entry', 78, 'delete_ledgerentry'),
	(312, 'Can view ledger entry', 78, 'view_ledgerentry'),
	(313, 'Can add listed', 79, 'add_listed'),
	(314, 'Can change listed', 79, 'change_listed'),
	(315, 'Can delete listed', 79, 'delete_listed'),
	(316, 'Can view listed', 79, 'view_listed'),
	(317, 'Can add row round', 80, 'add_rowround'),
	(318, 'Can change row round', 80, 'change_rowround'),
	(319, 'Can delete row round', 80, 'delete_rowround'),
	(320, 'Can view row round', 80, 'view_rowround'),
	(321, 'Can add api key', 81, 'add_apikey'),
	(322, 'Can change api key', 81, 'change_apikey'),
	(323, 'Can delete api key', 81, 'delete_apikey'),
	(324, 'Can view api key', 81, 'view_apikey'),
	(325, 'Can add kept call', 82, 'add_keptcall'),
	(326, 'Can change kept call', 82, 'change_keptcall'),
	(327, 'Can delete kept call', 82, 'delete_keptcall'),
	(328, 'Can view kept call', 82, 'view_keptcall'),
	(329, 'Can add saved view', 83, 'add_savedview'),
	(330, 'Can change saved view', 83, 'change_savedview'),
	(331, 'Can delete saved view', 83, 'delete_savedview'),
	(332, 'Can view saved view', 83, 'view_savedview'),
	(333, 'Can add setup draft', 84, 'add_setupdraft'),
	(334, 'Can change setup draft', 84, 'change_setupdraft'),
	(335, 'Can delete setup draft', 84, 'delete_setupdraft'),
	(336, 'Can view setup draft', 84, 'view_setupdraft');
INSERT INTO public.django_content_type VALUES
	(1, 'auth', 'permission'),
	(2, 'auth', 'group'),
	(3, 'auth', 'user'),
	(4, 'contenttypes', 'contenttype'),
	(5, 'sessions', 'session'),
	(6, 'accounts', 'directorysignin'),
	(7, 'accounts', 'signingkey'),
	(8, 'accounts', 'membership'),
	(9, 'account', 'emailaddress'),
	(10, 'account', 'emailconfirmation'),
	(11, 'mfa', 'authenticator'),
	(12, 'procrastinate', 'procrastinateevent'),
	(13, 'procrastinate', 'procrastinatejob'),
	(14, 'procrastinate', 'procrastinateperiodicdefer'),
	(15, 'procrastinate', 'procrastinateworker'),
	(16, 'trust', 'audithead'),
	(17, 'trust', 'auditentry'),
	(18, 'trust', 'datakey'),
	(19, 'trust', 'legalhold'),
	(20, 'trust', 'formerkey'),
	(21, 'trust', 'formerpseudonym'),
	(22, 'engine', 'pulse'),
	(23, 'engine', 'tally'),
	(24, 'engine', 'failure'),
	(25, 'outbox', 'agreement'),
	(26, 'outbox', 'destination'),
	(27, 'outbox', 'fact'),
	(28, 'outbox', 'delivery'),
	(29, 'practices', 'practice'),
	(30, 'practices', 'callcount'),
	(31, 'practices', 'consent'),
	(32, 'practices', 'connection'),
	(33, 'practices', 'practitioner'),
	(34, 'practices', 'peerclock'),
	(35, 'practices', 'preparation'),
	(36, 'practices', 'dryrun'),
	(37, 'practices', 'configversion'),
	(38, 'alerts', 'digest'),
	(39, 'alerts', 'alert'),
	(40, 'alerts', 'notice'),
	(41, 'backup', 'backup'),
	(42, 'inbox', 'event'),
	(43, 'mirror', 'chart'),
	(44, 'mirror', 'labcompany'),
	(45, 'mirror', 'labtest'),
	(46, 'mirror', 'order'),
	(47, 'mirror', 'orderedtest'),
	(48, 'mirror', 'patient'),
	(49, 'mirror', 'patientlink'),
	(50, 'mirror', 'result'),
	(51, 'mirror', 'resultsource'),
	(52, 'mirror', 'resultvalue'),
	(53, 'mirror', 'rowtouch'),
	(54, 'mirror', 'storedfile'),
	(55, 'mirror', 'take'),
	(56, 'mirror', 'notsame'),
	(57, 'mirror', 'reviewcase'),
	(58, 'mirror', 'labtestchange'),
	(59, 'mirror', 'ordernote'),
	(60, 'mirror', 'orderchange'),
	(61, 'mirror', 'ordermoment'),
	(62, 'mirror', 'ehrid'),
	(63, 'mirror', 'protocol'),
	(64, 'mirror', 'phasetally'),
	(65, 'filing', 'filedrow'),
	(66, 'filing', 'protocoledit'),
	(67, 'ordering', 'orderrequest'),
	(68, 'ordering', 'formerintent'),
	(69, 'billing', 'superbill'),
	(70, 'billing', 'sending'),
	(71, 'billing', 'evidence'),
	(72, 'analytics', 'orderfact'),
	(73, 'analytics', 'testfact'),
	(74, 'analytics', 'resultfact'),
	(75, 'reconcile', 'filecheck'),
	(76, 'reconcile', 'sweep'),
	(77, 'reconcile', 'repair'),
	(78, 'reconcile', 'ledgerentry'),
	(79, 'reconcile', 'listed'),
	(80, 'reconcile', 'rowround'),
	(81, 'handover', 'apikey'),
	(82, 'handover', 'keptcall'),
	(83, 'console', 'savedview'),
	(84, 'console', 'setupdraft');
INSERT INTO public.django_migrations VALUES
	(1, 'contenttypes', '0001_initial', '2026-01-01 00:00:00+00'),
	(2, 'auth', '0001_initial', '2026-01-01 00:00:00+00'),
	(3, 'account', '0001_initial', '2026-01-01 00:00:00+00'),
	(4, 'account', '0002_email_max_length', '2026-01-01 00:00:00+00'),
	(5, 'account', '0003_alter_emailaddress_create_unique_verified_email', '2026-01-01 00:00:00+00'),
	(6, 'account', '0004_alter_emailaddress_drop_unique_email', '2026-01-01 00:00:00+00'),
	(7, 'account', '0005_emailaddress_idx_upper_email', '2026-01-01 00:00:00+00'),
	(8, 'account', '0006_emailaddress_lower', '2026-01-01 00:00:00+00'),
	(9, 'account', '0007_emailaddress_idx_email', '2026-01-01 00:00:00+00'),
	(10, 'account', '0008_emailaddress_unique_primary_email_fixup', '2026-01-01 00:00:00+00'),
	(11, 'account', '0009_emailaddress_unique_primary_email', '2026-01-01 00:00:00+00'),
	(12, 'practices', '0001_initial', '2026-01-01 00:00:00+00'),
	(13, 'practices', '0002_shared_rates', '2026-01-01 00:00:00+00'),
	(14, 'accounts', '0001_initial', '2026-01-01 00:00:00+00'),
	(15, 'accounts', '0002_shared_cache', '2026-01-01 00:00:00+00'),
	(16, 'practices', '0003_connection_external_id', '2026-01-01 00:00:00+00'),
	(17, 'practices', '0004_patients_and_ordering', '2026-01-01 00:00:00+00'),
	(18, 'practices', '0005_alert_channels_and_clocks', '2026-01-01 00:00:00+00'),
	(19, 'alerts', '0001_initial', '2026-01-01 00:00:00+00'),
	(20, 'practices', '0006_refused_connections', '2026-01-01 00:00:00+00'),
	(21, 'practices', '0007_preparation', '2026-01-01 00:00:00+00'),
	(22, 'practices', '0008_config_versions', '2026-01-01 00:00:00+00'),
	(23, 'practices', '0009_how_long_patients_take', '2026-01-01 00:00:00+00'),
	(24, 'mirror', '0001_initial', '2026-01-01 00:00:00+00'),
	(25, 'mirror', '0002_clocks_takes_and_names', '2026-01-01 00:00:00+00'),
	(26, 'mirror', '0003_patients_and_ordering', '2026-01-01 00:00:00+00'),
	(27, 'mirror', '0004_today_indexes', '2026-01-01 00:00:00+00'),
	(28, 'mirror', '0005_retention', '2026-01-01 00:00:00+00'),
	(29, 'mirror', '0006_matches_and_questions', '2026-01-01 00:00:00+00'),
	(30, 'mirror', '0007_billing_words', '2026-01-01 00:00:00+00'),
	(31, 'mirror', '0008_lab_test_changes', '2026-01-01 00:00:00+00'),
	(32, 'mirror', '0009_reviews_and_notes', '2026-01-01 00:00:00+00'),
	(33, 'mirror', '0010_order_history', '2026-01-01 00:00:00+00'),
	(34, 'mirror', '0011_crosswalk', '2026-01-01 00:00:00+00'),
	(35, 'mirror', '0012_protocols', '2026-01-01 00:00:00+00'),
	(36, 'mirror', '0013_result_practice', '2026-01-01 00:00:00+00'),
	(37, 'mirror', '0014_lists_of_a_million', '2026-01-01 00:00:00+00'),
	(38, 'mirror', '0015_expected_at', '2026-01-01 00:00:00+00'),
	(39, 'mirror', '0016_people_and_refunds', '2026-01-01 00:00:00+00'),
	(40, 'mirror', '0017_names_by_tags', '2026-01-01 00:00:00+00'),
	(41, 'mirror', '0018_order_to_set_right', '2026-01-01 00:00:00+00'),
	(42, 'analytics', '0001_facts', '2026-01-01 00:00:00+00'),
	(43, 'analytics', '0002_kits_and_samples', '2026-01-01 00:00:00+00'),
	(44, 'analytics', '0003_facts_of_labs_and_results', '2026-01-01 00:00:00+00'),
	(45, 'analytics', '0004_waits', '2026-01-01 00:00:00+00'),
	(46, 'analytics', '0005_ended_without_a_result', '2026-01-01 00:00:00+00'),
	(47, 'contenttypes', '0002_remove_content_type_name', '2026-01-01 00:00:00+00'),
	(48, 'auth', '0002_alter_permission_name_max_length', '2026-01-01 00:00:00+00'),
	(49, 'auth', '0003_alter_user_email_max_length', '2026-01-01 00:00:00+00'),
	(50, 'auth', '0004_alter_user_username_opts', '2026-01-01 00:00:00+00'),
	(51, 'auth', '0005_alter_user_last_login_null', '2026-01-01 00:00:00+00'),
	(52, 'auth', '0006_require_contenttypes_0002', '2026-01-01 00:00:00+00'),
	(53, 'auth', '0007_alter_validators_add_error_messages', '2026-01-01 00:00:00+00'),
	(54, 'auth', '0008_alter_user_username_max_length', '2026-01-01 00:00:00+00'),
	(55, 'auth', '0009_alter_user_last_name_max_length', '2026-01-01 00:00:00+00'),
	(56, 'auth', '0010_alter_group_name_max_length', '2026-01-01 00:00:00+00'),
	(57, 'auth', '0011_update_proxy_permissions', '2026-01-01 00:00:00+00'),
	(58, 'auth', '0012_alter_user_first_name_max_length', '2026-01-01 00:00:00+00'),
	(59, 'backup', '0001_initial', '2026-01-01 00:00:00+00'),
	(60, 'billing', '0001_superbills', '2026-01-01 00:00:00+00'),
	(61, 'billing', '0002_append_only', '2026-01-01 00:00:00+00'),
	(62, 'console', '0001_saved_views', '2026-01-01 00:00:00+00'),
	(63, 'console', '0002_setupdraft', '2026-01-01 00:00:00+00'),
	(64, 'procrastinate', '0001_initial', '2026-01-01 00:00:00+00'),
	(65, 'procrastinate', '0002_drop_started_at_column', '2026-01-01 00:00:00+00'),
	(66, 'procrastinate', '0003_drop_started_at_column', '2026-01-01 00:00:00+00'),
	(67, 'procrastinate', '0004_drop_procrastinate_version_table', '2026-01-01 00:00:00+00'),
	(68, 'procrastinate', '0005_fix_procrastinate_fetch_job', '2026-01-01 00:00:00+00'),
	(69, 'procrastinate', '0006_fix_trigger_status_events_insert', '2026-01-01 00:00:00+00'),
	(70, 'procrastinate', '0007_add_queueing_lock_column', '2026-01-01 00:00:00+00'),
	(71, 'procrastinate', '0008_close_fetch_job_race_condition', '2026-01-01 00:00:00+00'),
	(72, 'procrastinate', '0009_add_defer_job_function', '2026-01-01 00:00:00+00'),
	(73, 'procrastinate', '0010_add_procrastinate_periodic_defers', '2026-01-01 00:00:00+00'),
	(74, 'procrastinate', '0011_add_foreign_key_index', '2026-01-01 00:00:00+00'),
	(75, 'procrastinate', '0012_add_locks_to_periodic_defer', '2026-01-01 00:00:00+00'),
	(76, 'procrastinate', '0013_fix_procrastinate_defer_periodic_job', '2026-01-01 00:00:00+00'),
	(77, 'procrastinate', '0014_add_finish_job_and_retry_job_functions', '2026-01-01 00:00:00+00'),
	(78, 'procrastinate', '0015_add_trigger_on_job_deletion', '2026-01-01 00:00:00+00'),
	(79, 'procrastinate', '0016_delete_finished_jobs', '2026-01-01 00:00:00+00'),
	(80, 'procrastinate', '0017_add_checks_to_finish_job', '2026-01-01 00:00:00+00'),
	(81, 'procrastinate', '0018_add_checks_to_retry_job', '2026-01-01 00:00:00+00'),
	(82, 'procrastinate', '0019_fix_finish_job_compat_issue', '2026-01-01 00:00:00+00'),
	(83, 'procrastinate', '0020_add_index_on_procrastinate_jobs', '2026-01-01 00:00:00+00'),
	(84, 'procrastinate', '0021_add_kwargs_to_defer_periodic_job', '2026-01-01 00:00:00+00'),
	(85, 'procrastinate', '0022_null_locks_excluded', '2026-01-01 00:00:00+00'),
	(86, 'procrastinate', '0023_remove_old_finish_job_function', '2026-01-01 00:00:00+00'),
	(87, 'procrastinate', '0024_job_id_bigint', '2026-01-01 00:00:00+00'),
	(88, 'procrastinate', '0025_add_models', '2026-01-01 00:00:00+00'),
	(89, 'procrastinate', '0026_add_job_priority', '2026-01-01 00:00:00+00'),
	(90, 'procrastinate', '0027_add_periodic_job_priority', '2026-01-01 00:00:00+00'),
	(91, 'procrastinate', '0028_add_cancel_states', '2026-01-01 00:00:00+00'),
	(92, 'procrastinate', '0029_add_additional_params_to_retry_job', '2026-01-01 00:00:00+00'),
	(93, 'procrastinate', '0030_alter_procrastinateevent_options', '2026-01-01 00:00:00+00'),
	(94, 'procrastinate', '0031_add_indexes_for_fetch_job', '2026-01-01 00:00:00+00'),
	(95, 'procrastinate', '0032_pre_cancel_notification', '2026-01-01 00:00:00+00'),
	(96, 'procrastinate', '0033_post_cancel_notification', '2026-01-01 00:00:00+00'),
	(97, 'procrastinate', '0034_pre_add_heartbeat', '2026-01-01 00:00:00+00'),
	(98, 'procrastinate', '0035_post_add_heartbeat', '2026-01-01 00:00:00+00'),
	(99, 'procrastinate', '0036_add_worker_model', '2026-01-01 00:00:00+00'),
	(100, 'procrastinate', '0037_pre_batch_defer_jobs', '2026-01-01 00:00:00+00'),
	(101, 'procrastinate', '0038_post_batch_defer_jobs', '2026-01-01 00:00:00+00'),
	(102, 'procrastinate', '0039_pre_priority_lock_fetch_job', '2026-01-01 00:00:00+00'),
	(103, 'procrastinate', '0040_pre_retry_failed_job', '2026-01-01 00:00:00+00'),
	(104, 'procrastinate', '0041_post_retry_failed_job', '2026-01-01 00:00:00+00'),
	(105, 'engine', '0001_initial', '2026-01-01 00:00:00+00'),
	(106, 'engine', '0002_quiet_jobs', '2026-01-01 00:00:00+00'),
	(107, 'engine', '0003_tally', '2026-01-01 00:00:00+00'),
	(108, 'engine', '0004_failures', '2026-01-01 00:00:00+00'),
	(109, 'filing', '0001_initial', '2026-01-01 00:00:00+00'),
	(110, 'filing', '0002_announced_results', '2026-01-01 00:00:00+00'),
	(111, 'filing', '0003_protocol_edits', '2026-01-01 00:00:00+00'),
	(112, 'outbox', '0001_outbox', '2026-01-01 00:00:00+00'),
	(113, 'handover', '0001_api_keys', '2026-01-01 00:00:00+00'),
	(114, 'handover', '0002_whose_answer', '2026-01-01 00:00:00+00'),
	(115, 'handover', '0003_agreements', '2026-01-01 00:00:00+00'),
	(116, 'inbox', '0001_initial', '2026-01-01 00:00:00+00'),
	(117, 'inbox', '0002_retention', '2026-01-01 00:00:00+00'),
	(118, 'inbox', '0003_event_of_peer', '2026-01-01 00:00:00+00'),
	(119, 'mfa', '0001_initial', '2026-01-01 00:00:00+00'),
	(120, 'mfa', '0002_authenticator_timestamps', '2026-01-01 00:00:00+00'),
	(121, 'mfa', '0003_authenticator_type_uniq', '2026-01-01 00:00:00+00'),
	(122, 'mirror', '0019_pages_that_tell_changes', '2026-01-01 00:00:00+00'),
	(123, 'mirror', '0020_creation_in_doubt', '2026-01-01 00:00:00+00'),
	(124, 'ordering', '0001_patients_and_ordering', '2026-01-01 00:00:00+00'),
	(125, 'ordering', '0002_one_path_three_doors', '2026-01-01 00:00:00+00'),
	(126, 'ordering', '0003_wishes_by_mail', '2026-01-01 00:00:00+00'),
	(127, 'ordering', '0004_what_was_open_already', '2026-01-01 00:00:00+00'),
	(128, 'outbox', '0002_whom_a_letter_told', '2026-01-01 00:00:00+00'),
	(129, 'trust', '0001_audit', '2026-01-01 00:00:00+00'),
	(130, 'trust', '0002_append_only', '2026-01-01 00:00:00+00'),
	(131, 'reconcile', '0001_ledger', '2026-01-01 00:00:00+00'),
	(132, 'reconcile', '0002_append_only', '2026-01-01 00:00:00+00'),
	(133, 'reconcile', '0003_missed_requests', '2026-01-01 00:00:00+00'),
	(134, 'sessions', '0001_initial', '2026-01-01 00:00:00+00'),
	(135, 'trust', '0003_one_chain_for_each_practice', '2026-01-01 00:00:00+00'),
	(136, 'trust', '0004_data_keys', '2026-01-01 00:00:00+00'),
	(137, 'trust', '0005_retention', '2026-01-01 00:00:00+00'),
	(138, 'trust', '0006_audit_subject', '2026-01-01 00:00:00+00'),
	(139, 'trust', '0007_former_installations', '2026-01-01 00:00:00+00'),
	(140, 'trust', '0008_audit_filters', '2026-01-01 00:00:00+00');
SELECT pg_catalog.setval('public.account_emailaddress_id_seq', 1, false);
SELECT pg_catalog.setval('public.account_emailconfirmation_id_seq', 1, false);
SELECT pg_catalog.setval('public.accounts_membership_id_seq', 1, false);
SELECT pg_catalog.setval('public.alerts_notice_id_seq', 1, false);
SELECT pg_catalog.setval('public.auth_group_id_seq', 1, false);
SELECT pg_catalog.setval('public.auth_group_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.auth_permission_id_seq', 336, true);
SELECT pg_catalog.setval('public.auth_user_groups_id_seq', 1, false);
SELECT pg_catalog.setval('public.auth_user_id_seq', 1, false);
SELECT pg_catalog.setval('public.auth_user_user_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.backup_backup_id_seq', 1, false);
SELECT pg_catalog.setval('public.console_savedview_id_seq', 1, false);
SELECT pg_catalog.setval('public.django_content_type_id_seq', 84, true);
SELECT pg_catalog.setval('public.django_migrations_id_seq', 140, true);
SELECT pg_catalog.setval('public.engine_tally_id_seq', 1, false);
SELECT pg_catalog.setval('public.mfa_authenticator_id_seq', 1, false);
SELECT pg_catalog.setval('public.mirror_ehrid_id_seq', 1, false);
SELECT pg_catalog.setval('public.mirror_labcompany_id_seq', 1, false);
SELECT pg_catalog.setval('public.mirror_labtest_id_seq', 1, false);
SELECT pg_catalog.setval('public.mirror_labtestchange_id_seq', 1, false);
SELECT pg_catalog.setval('public.mirror_notsame_id_seq', 1, false);
SELECT pg_catalog.setval('public.mirror_ordermoment_id_seq', 1, false);
SELECT pg_catalog.setval('public.mirror_patientlink_id_seq', 1, false);
SELECT pg_catalog.setval('public.mirror_phasetally_id_seq', 1, false);
SELECT pg_catalog.setval('public.mirror_rowtouch_id_seq', 1, false);
SELECT pg_catalog.setval('public.ordering_formerintent_id_seq', 1, false);
SELECT pg_catalog.setval('public.outbox_fact_id_seq', 1, false);
SELECT pg_catalog.setval('public.practices_callcount_id_seq', 1, false);
SELECT pg_catalog.setval('public.practices_consent_id_seq', 1, false);
SELECT pg_catalog.setval('public.practices_practitioner_id_seq', 1, false);
SELECT pg_catalog.setval('public.practices_preparation_id_seq', 1, false);
SELECT pg_catalog.setval('public.procrastinate_events_id_seq', 1, false);
SELECT pg_catalog.setval('public.procrastinate_jobs_id_seq', 1, false);
SELECT pg_catalog.setval('public.procrastinate_periodic_defers_id_seq', 1, false);
SELECT pg_catalog.setval('public.procrastinate_workers_id_seq', 1, false);
SELECT pg_catalog.setval('public.reconcile_filecheck_id_seq', 1, false);
SELECT pg_catalog.setval('public.reconcile_ledgerentry_id_seq', 1, false);
SELECT pg_catalog.setval('public.reconcile_listed_id_seq', 1, false);
SELECT pg_catalog.setval('public.reconcile_repair_id_seq', 1, false);
SELECT pg_catalog.setval('public.reconcile_rowround_id_seq', 1, false);
SELECT pg_catalog.setval('public.trust_auditentry_id_seq', 1, false);
SELECT pg_catalog.setval('public.trust_audithead_id_seq', 1, false);
SELECT pg_catalog.setval('public.trust_formerkey_id_seq', 1, false);
SELECT pg_catalog.setval('public.trust_formerpseudonym_id_seq', 1, false);
SELECT pg_catalog.setval('public.trust_legalhold_id_seq', 1, false);
ALTER TABLE ONLY public.account_emailaddress
    ADD CONSTRAINT account_emailaddress_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.account_emailaddress
    ADD CONSTRAINT account_emailaddress_user_id_email_987c8728_uniq UNIQUE (user_id, email);
ALTER TABLE ONLY public.account_emailconfirmation
    ADD CONSTRAINT account_emailconfirmation_key_key UNIQUE (key);
ALTER TABLE ONLY public.account_emailconfirmation
    ADD CONSTRAINT account_emailconfirmation_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.accounts_directorysignin
    ADD CONSTRAINT accounts_directorysignin_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.accounts_directorysignin
    ADD CONSTRAINT accounts_directorysignin_request_id_key UNIQUE (request_id);
ALTER TABLE ONLY public.accounts_membership
    ADD CONSTRAINT accounts_membership_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.accounts_signingkey
    ADD CONSTRAINT accounts_signingkey_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.accounts_signingkey
    ADD CONSTRAINT accounts_signingkey_practice_id_key UNIQUE (practice_id);
ALTER TABLE ONLY public.outbox_agreement
    ADD CONSTRAINT agreement_once UNIQUE (practice_id, party, sha256);
ALTER TABLE ONLY public.alerts_alert
    ADD CONSTRAINT alerts_alert_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alerts_digest
    ADD CONSTRAINT alerts_digest_pkey PRIMARY KEY (channel);
ALTER TABLE ONLY public.alerts_notice
    ADD CONSTRAINT alerts_notice_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.analytics_orderfact
    ADD CONSTRAINT analytics_orderfact_pkey PRIMARY KEY (order_id);
ALTER TABLE ONLY public.analytics_resultfact
    ADD CONSTRAINT analytics_resultfact_pkey PRIMARY KEY (result_id);
ALTER TABLE ONLY public.analytics_testfact
    ADD CONSTRAINT analytics_testfact_pkey PRIMARY KEY (ordered_test_id);
ALTER TABLE ONLY public.handover_apikey
    ADD CONSTRAINT api_key_name_once UNIQUE (practice_id, name);
ALTER TABLE ONLY public.trust_audithead
    ADD CONSTRAINT audit_head_once UNIQUE (practice, seq);
ALTER TABLE ONLY public.trust_auditentry
    ADD CONSTRAINT audit_place_once UNIQUE (practice, seq);
ALTER TABLE ONLY public.auth_group
    ADD CONSTRAINT auth_group_name_key UNIQUE (name);
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_group_id_permission_id_0cd325b0_uniq UNIQUE (group_id, permission_id);
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_group
    ADD CONSTRAINT auth_group_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_content_type_id_codename_01ab375a_uniq UNIQUE (content_type_id, codename);
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_user_groups
    ADD CONSTRAINT auth_user_groups_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_user_groups
    ADD CONSTRAINT auth_user_groups_user_id_group_id_94350c0c_uniq UNIQUE (user_id, group_id);
ALTER TABLE ONLY public.auth_user
    ADD CONSTRAINT auth_user_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_user_user_permissions
    ADD CONSTRAINT auth_user_user_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_user_user_permissions
    ADD CONSTRAINT auth_user_user_permissions_user_id_permission_id_14a6b632_uniq UNIQUE (user_id, permission_id);
ALTER TABLE ONLY public.auth_user
    ADD CONSTRAINT auth_user_username_key UNIQUE (username);
ALTER TABLE ONLY public.backup_backup
    ADD CONSTRAINT backup_backup_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.billing_evidence
    ADD CONSTRAINT billing_evidence_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.billing_sending
    ADD CONSTRAINT billing_sending_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.billing_superbill
    ADD CONSTRAINT billing_superbill_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.practices_callcount
    ADD CONSTRAINT call_count_once UNIQUE (account, purpose, day);
ALTER TABLE ONLY public.mirror_chart
    ADD CONSTRAINT chart_once UNIQUE (practice_id, key);
ALTER TABLE ONLY public.practices_configversion
    ADD CONSTRAINT config_version_once UNIQUE (practice_id, number);
ALTER TABLE ONLY public.practices_connection
    ADD CONSTRAINT connection_once UNIQUE (practice_id, peer, account);
ALTER TABLE ONLY public.console_savedview
    ADD CONSTRAINT console_savedview_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.console_setupdraft
    ADD CONSTRAINT console_setupdraft_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.console_setupdraft
    ADD CONSTRAINT console_setupdraft_user_id_key UNIQUE (user_id);
ALTER TABLE ONLY public.outbox_delivery
    ADD CONSTRAINT delivery_once UNIQUE (destination_id, fact_id);
ALTER TABLE ONLY public.outbox_destination
    ADD CONSTRAINT destination_name_once UNIQUE (practice_id, name);
ALTER TABLE ONLY public.django_content_type
    ADD CONSTRAINT django_content_type_app_label_model_76bd3d3b_uniq UNIQUE (app_label, model);
ALTER TABLE ONLY public.django_content_type
    ADD CONSTRAINT django_content_type_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.django_migrations
    ADD CONSTRAINT django_migrations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.django_session
    ADD CONSTRAINT django_session_pkey PRIMARY KEY (session_key);
ALTER TABLE ONLY public.mirror_ehrid
    ADD CONSTRAINT ehr_id_once UNIQUE (practice_id, system, external_id);
ALTER TABLE ONLY public.engine_failure
    ADD CONSTRAINT engine_failure_pkey PRIMARY KEY (job_id);
ALTER TABLE ONLY public.engine_pulse
    ADD CONSTRAINT engine_pulse_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.engine_tally
    ADD CONSTRAINT engine_tally_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.inbox_event
    ADD CONSTRAINT event_once UNIQUE (peer, external_id);
ALTER TABLE ONLY public.filing_filedrow
    ADD CONSTRAINT filed_row_once UNIQUE (practice_id, "table", key);
ALTER TABLE ONLY public.filing_filedrow
    ADD CONSTRAINT filing_filedrow_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.filing_protocoledit
    ADD CONSTRAINT filing_protocoledit_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trust_formerkey
    ADD CONSTRAINT former_key_once UNIQUE (chain, public);
ALTER TABLE ONLY public.trust_formerpseudonym
    ADD CONSTRAINT former_pseudonym_once UNIQUE (practice, pseudonym);
ALTER TABLE ONLY public.handover_apikey
    ADD CONSTRAINT handover_apikey_digest_key UNIQUE (digest);
ALTER TABLE ONLY public.handover_apikey
    ADD CONSTRAINT handover_apikey_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.handover_keptcall
    ADD CONSTRAINT handover_keptcall_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.inbox_event
    ADD CONSTRAINT inbox_event_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.handover_keptcall
    ADD CONSTRAINT kept_call_once UNIQUE (api_key_id, key);
ALTER TABLE ONLY public.mirror_labcompany
    ADD CONSTRAINT lab_company_once UNIQUE (practice_id, external_id);
ALTER TABLE ONLY public.mirror_labtest
    ADD CONSTRAINT lab_test_once UNIQUE (practice_id, external_id);
ALTER TABLE ONLY public.labbridge_cache
    ADD CONSTRAINT labbridge_cache_pkey PRIMARY KEY (cache_key);
ALTER TABLE ONLY public.reconcile_ledgerentry
    ADD CONSTRAINT ledger_entry_once UNIQUE (practice_id, seq);
ALTER TABLE ONLY public.reconcile_listed
    ADD CONSTRAINT listed_once UNIQUE (practice_id, external_id);
ALTER TABLE ONLY public.accounts_membership
    ADD CONSTRAINT membership_once UNIQUE (user_id, practice_id);
ALTER TABLE ONLY public.mfa_authenticator
    ADD CONSTRAINT mfa_authenticator_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_chart
    ADD CONSTRAINT mirror_chart_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_ehrid
    ADD CONSTRAINT mirror_ehrid_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_labcompany
    ADD CONSTRAINT mirror_labcompany_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_labtest
    ADD CONSTRAINT mirror_labtest_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_labtestchange
    ADD CONSTRAINT mirror_labtestchange_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_notsame
    ADD CONSTRAINT mirror_notsame_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_order
    ADD CONSTRAINT mirror_order_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_orderedtest
    ADD CONSTRAINT mirror_orderedtest_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_ordermoment
    ADD CONSTRAINT mirror_ordermoment_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_ordernote
    ADD CONSTRAINT mirror_ordernote_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_patient
    ADD CONSTRAINT mirror_patient_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_patientlink
    ADD CONSTRAINT mirror_patientlink_chart_id_key UNIQUE (chart_id);
ALTER TABLE ONLY public.mirror_patientlink
    ADD CONSTRAINT mirror_patientlink_patient_id_key UNIQUE (patient_id);
ALTER TABLE ONLY public.mirror_patientlink
    ADD CONSTRAINT mirror_patientlink_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_phasetally
    ADD CONSTRAINT mirror_phasetally_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_protocol
    ADD CONSTRAINT mirror_protocol_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_result
    ADD CONSTRAINT mirror_result_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_resultsource
    ADD CONSTRAINT mirror_resultsource_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_resultvalue
    ADD CONSTRAINT mirror_resultvalue_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_reviewcase
    ADD CONSTRAINT mirror_reviewcase_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_rowtouch
    ADD CONSTRAINT mirror_rowtouch_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_storedfile
    ADD CONSTRAINT mirror_storedfile_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_take
    ADD CONSTRAINT mirror_take_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_notsame
    ADD CONSTRAINT not_same_once UNIQUE (chart_id, patient_id);
ALTER TABLE ONLY public.alerts_notice
    ADD CONSTRAINT notice_once UNIQUE (alert_id, channel, occasion);
ALTER TABLE ONLY public.mirror_ordermoment
    ADD CONSTRAINT order_moment_once UNIQUE NULLS NOT DISTINCT (order_id, ordered_test_id, what, at, value);
ALTER TABLE ONLY public.mirror_order
    ADD CONSTRAINT order_once UNIQUE (practice_id, external_id);
ALTER TABLE ONLY public.ordering_orderrequest
    ADD CONSTRAINT order_request_once UNIQUE (practice_id, key);
ALTER TABLE ONLY public.mirror_orderedtest
    ADD CONSTRAINT ordered_test_once UNIQUE (practice_id, external_id);
ALTER TABLE ONLY public.ordering_formerintent
    ADD CONSTRAINT ordering_formerintent_mark_key UNIQUE (mark);
ALTER TABLE ONLY public.ordering_formerintent
    ADD CONSTRAINT ordering_formerintent_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.ordering_orderrequest
    ADD CONSTRAINT ordering_orderrequest_mark_key UNIQUE (mark);
ALTER TABLE ONLY public.ordering_orderrequest
    ADD CONSTRAINT ordering_orderrequest_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.ordering_orderrequest
    ADD CONSTRAINT ordering_orderrequest_return_hash_key UNIQUE (return_hash);
ALTER TABLE ONLY public.outbox_agreement
    ADD CONSTRAINT outbox_agreement_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.outbox_delivery
    ADD CONSTRAINT outbox_delivery_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.outbox_destination
    ADD CONSTRAINT outbox_destination_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.outbox_fact
    ADD CONSTRAINT outbox_fact_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_patient
    ADD CONSTRAINT patient_once UNIQUE (practice_id, external_id);
ALTER TABLE ONLY public.practices_callcount
    ADD CONSTRAINT practices_callcount_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.practices_configversion
    ADD CONSTRAINT practices_configversion_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.practices_connection
    ADD CONSTRAINT practices_connection_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.practices_consent
    ADD CONSTRAINT practices_consent_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.practices_consent
    ADD CONSTRAINT practices_consent_state_hash_key UNIQUE (state_hash);
ALTER TABLE ONLY public.practices_dryrun
    ADD CONSTRAINT practices_dryrun_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.practices_peerclock
    ADD CONSTRAINT practices_peerclock_pkey PRIMARY KEY (peer);
ALTER TABLE ONLY public.practices_practice
    ADD CONSTRAINT practices_practice_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.practices_practice
    ADD CONSTRAINT practices_practice_slug_key UNIQUE (slug);
ALTER TABLE ONLY public.practices_practitioner
    ADD CONSTRAINT practices_practitioner_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.practices_preparation
    ADD CONSTRAINT practices_preparation_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.practices_rate
    ADD CONSTRAINT practices_rate_pkey PRIMARY KEY (account);
ALTER TABLE ONLY public.practices_practitioner
    ADD CONSTRAINT practitioner_once UNIQUE (external_id);
ALTER TABLE ONLY public.practices_preparation
    ADD CONSTRAINT preparation_once UNIQUE (practice_id, what);
ALTER TABLE ONLY public.procrastinate_events
    ADD CONSTRAINT procrastinate_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_unique UNIQUE (task_name, periodic_id, defer_timestamp);
ALTER TABLE ONLY public.procrastinate_workers
    ADD CONSTRAINT procrastinate_workers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mirror_protocol
    ADD CONSTRAINT protocol_once UNIQUE (practice_id, external_id);
ALTER TABLE ONLY public.reconcile_filecheck
    ADD CONSTRAINT reconcile_filecheck_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.reconcile_filecheck
    ADD CONSTRAINT reconcile_filecheck_source_id_key UNIQUE (source_id);
ALTER TABLE ONLY public.reconcile_ledgerentry
    ADD CONSTRAINT reconcile_ledgerentry_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.reconcile_listed
    ADD CONSTRAINT reconcile_listed_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.reconcile_repair
    ADD CONSTRAINT reconcile_repair_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.reconcile_rowround
    ADD CONSTRAINT reconcile_rowround_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.reconcile_sweep
    ADD CONSTRAINT reconcile_sweep_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.reconcile_repair
    ADD CONSTRAINT repair_once UNIQUE (sweep_id, kind, subject);
ALTER TABLE ONLY public.mirror_resultsource
    ADD CONSTRAINT result_source_once UNIQUE (ordered_test_id, fingerprint);
ALTER TABLE ONLY public.mirror_resultvalue
    ADD CONSTRAINT result_value_once UNIQUE (result_id, number);
ALTER TABLE ONLY public.mirror_result
    ADD CONSTRAINT result_version_once UNIQUE (ordered_test_id, version) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.reconcile_rowround
    ADD CONSTRAINT row_round_once UNIQUE (practice_id, "table");
ALTER TABLE ONLY public.mirror_rowtouch
    ADD CONSTRAINT row_touch_once UNIQUE (practice_id, pk_id);
ALTER TABLE ONLY public.console_savedview
    ADD CONSTRAINT saved_view_once UNIQUE (user_id, name);
ALTER TABLE ONLY public.mirror_storedfile
    ADD CONSTRAINT stored_file_once UNIQUE (practice_id, sha256);
ALTER TABLE ONLY public.billing_superbill
    ADD CONSTRAINT superbill_once UNIQUE (practice_id, number, version);
ALTER TABLE ONLY public.billing_superbill
    ADD CONSTRAINT superbill_version_once UNIQUE (order_id, version);
ALTER TABLE ONLY public.engine_tally
    ADD CONSTRAINT tally_once UNIQUE (name, hour);
ALTER TABLE ONLY public.trust_auditentry
    ADD CONSTRAINT trust_auditentry_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trust_audithead
    ADD CONSTRAINT trust_audithead_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trust_datakey
    ADD CONSTRAINT trust_datakey_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trust_formerkey
    ADD CONSTRAINT trust_formerkey_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trust_formerpseudonym
    ADD CONSTRAINT trust_formerpseudonym_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trust_legalhold
    ADD CONSTRAINT trust_legalhold_pkey PRIMARY KEY (id);
CREATE INDEX account_emailaddress_email_03be32b2 ON public.account_emailaddress USING btree (email);
CREATE INDEX account_emailaddress_email_03be32b2_like ON public.account_emailaddress USING btree (email varchar_pattern_ops);
CREATE INDEX account_emailaddress_user_id_2c513194 ON public.account_emailaddress USING btree (user_id);
CREATE INDEX account_emailconfirmation_email_address_id_5b7f8c58 ON public.account_emailconfirmation USING btree (email_address_id);
CREATE INDEX account_emailconfirmation_key_f43612bd_like ON public.account_emailconfirmation USING btree (key varchar_pattern_ops);
CREATE INDEX accounts_directorysignin_practice_id_94651d82 ON public.accounts_directorysignin USING btree (practice_id);
CREATE INDEX accounts_directorysignin_request_id_e2babbc7_like ON public.accounts_directorysignin USING btree (request_id varchar_pattern_ops);
CREATE INDEX accounts_directorysignin_started_at_fb438d68 ON public.accounts_directorysignin USING btree (started_at);
CREATE INDEX accounts_directorysignin_user_id_c8048081 ON public.accounts_directorysignin USING btree (user_id);
CREATE INDEX accounts_membership_practice_id_3369c93e ON public.accounts_membership USING btree (practice_id);
CREATE INDEX accounts_membership_user_id_487fb39e ON public.accounts_membership USING btree (user_id);
CREATE UNIQUE INDEX alert_open_once ON public.alerts_alert USING btree (practice_id, rule, subject) NULLS NOT DISTINCT WHERE (NOT ((state)::text = 'resolved'::text));
CREATE INDEX alerts_alert_practice_id_3129bf1e ON public.alerts_alert USING btree (practice_id);
CREATE INDEX alerts_digest_channel_44fe6333_like ON public.alerts_digest USING btree (channel varchar_pattern_ops);
CREATE INDEX alerts_notice_alert_id_c3b3c21b ON public.alerts_notice USING btree (alert_id);
CREATE INDEX analytics_orderfact_practice_id_d56bb840 ON public.analytics_orderfact USING btree (practice_id);
CREATE INDEX analytics_resultfact_order_id_425ba720 ON public.analytics_resultfact USING btree (order_id);
CREATE INDEX analytics_resultfact_practice_id_0eadde3d ON public.analytics_resultfact USING btree (practice_id);
CREATE INDEX analytics_testfact_order_id_34e7acfc ON public.analytics_testfact USING btree (order_id);
CREATE INDEX analytics_testfact_practice_id_0a4e2d66 ON public.analytics_testfact USING btree (practice_id);
CREATE INDEX audit_action ON public.trust_auditentry USING btree (action, at);
CREATE INDEX audit_actor ON public.trust_auditentry USING btree (actor_id, at);
CREATE INDEX audit_actor_name ON public.trust_auditentry USING btree (upper((actor_name)::text), at);
CREATE INDEX audit_at ON public.trust_auditentry USING btree (at);
CREATE INDEX audit_outcome ON public.trust_auditentry USING btree (outcome, at) WHERE (NOT ((outcome)::text = 'done'::text));
CREATE INDEX audit_patients ON public.trust_auditentry USING gin (patients);
CREATE INDEX audit_practice ON public.trust_auditentry USING btree (practice, at);
CREATE INDEX audit_subject ON public.trust_auditentry USING btree (subject);
CREATE INDEX audit_unsealed ON public.trust_auditentry USING btree (practice, id) WHERE (seq IS NULL);
CREATE INDEX auth_group_name_a6ea08ec_like ON public.auth_group USING btree (name varchar_pattern_ops);
CREATE INDEX auth_group_permissions_group_id_b120cbf9 ON public.auth_group_permissions USING btree (group_id);
CREATE INDEX auth_group_permissions_permission_id_84c5c92e ON public.auth_group_permissions USING btree (permission_id);
CREATE INDEX auth_permission_content_type_id_2f476e4b ON public.auth_permission USING btree (content_type_id);
CREATE INDEX auth_user_groups_group_id_97559544 ON public.auth_user_groups USING btree (group_id);
CREATE INDEX auth_user_groups_user_id_6a12ed8b ON public.auth_user_groups USING btree (user_id);
CREATE INDEX auth_user_user_permissions_permission_id_1fbb5f2c ON public.auth_user_user_permissions USING btree (permission_id);
CREATE INDEX auth_user_user_permissions_user_id_a95ead1b ON public.auth_user_user_permissions USING btree (user_id);
CREATE INDEX auth_user_username_6821ab7c_like ON public.auth_user USING btree (username varchar_pattern_ops);
CREATE INDEX billing_evidence_order_id_c84f929d ON public.billing_evidence USING btree (order_id);
CREATE INDEX billing_evidence_practice_id_4a69dc5f ON public.billing_evidence USING btree (practice_id);
CREATE INDEX billing_sending_superbill_id_cf7eba0d ON public.billing_sending USING btree (superbill_id);
CREATE INDEX billing_superbill_order_id_b89811d5 ON public.billing_superbill USING btree (order_id);
CREATE INDEX billing_superbill_practice_id_d96b7d1e ON public.billing_superbill USING btree (practice_id);
CREATE INDEX case_open ON public.mirror_reviewcase USING btree (practice_id, opened_at, id) WHERE ((state)::text = 'open'::text);
CREATE UNIQUE INDEX case_open_once_of_kind ON public.mirror_reviewcase USING btree (chart_id, kind) WHERE ((state)::text = 'open'::text);
CREATE UNIQUE INDEX case_open_once_without_chart ON public.mirror_reviewcase USING btree (patient_id) WHERE ((chart_id IS NULL) AND ((state)::text = 'open'::text));
CREATE INDEX case_over ON public.mirror_reviewcase USING btree (practice_id, decided_at DESC, id DESC) WHERE (NOT ((state)::text = 'open'::text));
CREATE INDEX chart_birthday ON public.mirror_chart USING btree (practice_id, birthday_index);
CREATE INDEX chart_email ON public.mirror_chart USING btree (practice_id, email_index);
CREATE INDEX chart_lookup ON public.mirror_chart USING gin (lookup_keys);
CREATE INDEX chart_names ON public.mirror_chart USING btree (practice_id, id) INCLUDE (name_tags) WHERE ((name_tags IS NOT NULL) AND present);
CREATE INDEX chart_pk ON public.mirror_chart USING btree (practice_id, pk_id);
CREATE INDEX chart_rupa ON public.mirror_chart USING btree (practice_id, rupa_patient_id);
CREATE INDEX chart_unindexed ON public.mirror_chart USING btree (practice_id) WHERE (lookup_keys IS NULL);
CREATE INDEX chart_untagged ON public.mirror_chart USING btree (practice_id) WHERE ((erased_at IS NULL) AND (name_tags IS NULL) AND (person IS NOT NULL));
CREATE INDEX console_savedview_user_id_d07337ad ON public.console_savedview USING btree (user_id);
CREATE INDEX delivery_dead ON public.outbox_delivery USING btree (destination_id) WHERE ((state)::text = 'dead'::text);
CREATE INDEX delivery_line ON public.outbox_delivery USING btree (destination_id, about, fact_id) WHERE ((state)::text = 'pending'::text);
CREATE INDEX delivery_pending ON public.outbox_delivery USING btree (destination_id, fact_id) WHERE ((state)::text = 'pending'::text);
CREATE INDEX django_session_expire_date_a5c62663 ON public.django_session USING btree (expire_date);
CREATE INDEX django_session_session_key_c0390e0f_like ON public.django_session USING btree (session_key varchar_pattern_ops);
CREATE INDEX engine_pulse_name_c92b3623_like ON public.engine_pulse USING btree (name varchar_pattern_ops);
CREATE INDEX event_of_peer ON public.inbox_event USING btree (practice_id, peer, received_at, id);
CREATE INDEX event_open ON public.inbox_event USING btree (state, received_at) WHERE (NOT ((state)::text = 'handled'::text));
CREATE INDEX event_received ON public.inbox_event USING btree (received_at);
CREATE INDEX event_subject ON public.inbox_event USING btree (practice_id, subject);
CREATE INDEX evidence_of_order ON public.billing_evidence USING btree (order_id, track);
CREATE INDEX fact_at ON public.outbox_fact USING btree (practice_id, at);
CREATE INDEX filed_row_group ON public.filing_filedrow USING btree (practice_id, "group");
CREATE INDEX filed_row_pk ON public.filing_filedrow USING btree (practice_id, "table", pk_id);
CREATE INDEX filing_filedrow_practice_id_4b4c8a26 ON public.filing_filedrow USING btree (practice_id);
CREATE INDEX filing_protocoledit_protocol_id_83309e46 ON public.filing_protocoledit USING btree (protocol_id);
CREATE INDEX former_intent ON public.ordering_formerintent USING btree (practice_id, intent_id);
CREATE INDEX former_pseudonym_of ON public.trust_formerpseudonym USING btree (model, "row");
CREATE INDEX handover_apikey_agreement_id_020a129b ON public.handover_apikey USING btree (agreement_id);
CREATE INDEX handover_apikey_practice_id_f4bea32f ON public.handover_apikey USING btree (practice_id);
CREATE INDEX handover_keptcall_api_key_id_d16d9911 ON public.handover_keptcall USING btree (api_key_id);
CREATE INDEX idx_procrastinate_jobs_worker_not_null ON public.procrastinate_jobs USING btree (worker_id) WHERE ((worker_id IS NOT NULL) AND (status = 'doing'::public.procrastinate_job_status));
CREATE INDEX idx_procrastinate_workers_last_heartbeat ON public.procrastinate_workers USING btree (last_heartbeat);
CREATE INDEX inbox_event_practice_id_3ab39f4c ON public.inbox_event USING btree (practice_id);
CREATE INDEX lab_test_change_at ON public.mirror_labtestchange USING btree (practice_id, at);
CREATE INDEX lab_test_change_of ON public.mirror_labtestchange USING btree (practice_id, external_id);
CREATE INDEX labbridge_cache_expires ON public.labbridge_cache USING btree (expires);
CREATE INDEX labbridge_jobs_lock ON public.procrastinate_jobs USING btree (lock) WHERE ((lock IS NOT NULL) AND (status = ANY (ARRAY['todo'::public.procrastinate_job_status, 'doing'::public.procrastinate_job_status])));
CREATE INDEX ledger_date ON public.reconcile_ledgerentry USING btree (practice_id, date);
CREATE INDEX listed_at ON public.reconcile_listed USING btree (practice_id, listed_at);
CREATE INDEX mfa_authenticator_user_id_0c3a50c0 ON public.mfa_authenticator USING btree (user_id);
CREATE INDEX mirror_chart_practice_id_7215ffb5 ON public.mirror_chart USING btree (practice_id);
CREATE INDEX mirror_ehrid_chart_id_791db3ab ON public.mirror_ehrid USING btree (chart_id);
CREATE INDEX mirror_ehrid_patient_id_8a31d964 ON public.mirror_ehrid USING btree (patient_id);
CREATE INDEX mirror_ehrid_practice_id_779119fc ON public.mirror_ehrid USING btree (practice_id);
CREATE INDEX mirror_labcompany_practice_id_819666ca ON public.mirror_labcompany USING btree (practice_id);
CREATE INDEX mirror_labtest_practice_id_4019b87b ON public.mirror_labtest USING btree (practice_id);
CREATE INDEX mirror_labtestchange_practice_id_1c04c1b5 ON public.mirror_labtestchange USING btree (practice_id);
CREATE INDEX mirror_notsame_chart_id_b0f1dbf6 ON public.mirror_notsame USING btree (chart_id);
CREATE INDEX mirror_notsame_patient_id_a7ae95f3 ON public.mirror_notsame USING btree (patient_id);
CREATE INDEX mirror_order_patient_id_baafcd25 ON public.mirror_order USING btree (patient_id);
CREATE INDEX mirror_order_practice_id_a8f627eb ON public.mirror_order USING btree (practice_id);
CREATE INDEX mirror_orderedtest_order_id_c26f8554 ON public.mirror_orderedtest USING btree (order_id);
CREATE INDEX mirror_orderedtest_practice_id_ae71a056 ON public.mirror_orderedtest USING btree (practice_id);
CREATE INDEX mirror_ordermoment_order_id_87741bb5 ON public.mirror_ordermoment USING btree (order_id);
CREATE INDEX mirror_ordermoment_ordered_test_id_3d640a9e ON public.mirror_ordermoment USING btree (ordered_test_id);
CREATE INDEX mirror_ordermoment_practice_id_66035133 ON public.mirror_ordermoment USING btree (practice_id);
CREATE INDEX mirror_ordernote_order_id_06d6a1e8 ON public.mirror_ordernote USING btree (order_id);
CREATE INDEX mirror_patient_connection_id_46ce87b4 ON public.mirror_patient USING btree (connection_id);
CREATE INDEX mirror_patient_practice_id_65d25729 ON public.mirror_patient USING btree (practice_id);
CREATE INDEX mirror_patientlink_practice_id_5b43bf37 ON public.mirror_patientlink USING btree (practice_id);
CREATE INDEX mirror_phasetally_practice_id_24d21fe1 ON public.mirror_phasetally USING btree (practice_id);
CREATE INDEX mirror_protocol_practice_id_1fc98d47 ON public.mirror_protocol USING btree (practice_id);
CREATE INDEX mirror_result_chart_id_13fb4440 ON public.mirror_result USING btree (chart_id);
CREATE INDEX mirror_result_hl7_id_b88f62c7 ON public.mirror_result USING btree (hl7_id);
CREATE INDEX mirror_result_ordered_test_id_20c21abd ON public.mirror_result USING btree (ordered_test_id);
CREATE INDEX mirror_result_pdf_id_4dcca98c ON public.mirror_result USING btree (pdf_id);
CREATE INDEX mirror_result_practice_id_8bb65f25 ON public.mirror_result USING btree (practice_id);
CREATE INDEX mirror_resultsource_ordered_test_id_726e4939 ON public.mirror_resultsource USING btree (ordered_test_id);
CREATE INDEX mirror_resultvalue_result_id_8832ca85 ON public.mirror_resultvalue USING btree (result_id);
CREATE INDEX mirror_reviewcase_chart_id_b9a4d593 ON public.mirror_reviewcase USING btree (chart_id);
CREATE INDEX mirror_reviewcase_decided_patient_id_6a1d176e ON public.mirror_reviewcase USING btree (decided_patient_id);
CREATE INDEX mirror_reviewcase_patient_id_039b1a7f ON public.mirror_reviewcase USING btree (patient_id);
CREATE INDEX mirror_reviewcase_practice_id_57b2e5dd ON public.mirror_reviewcase USING btree (practice_id);
CREATE INDEX mirror_rowtouch_practice_id_12315f4e ON public.mirror_rowtouch USING btree (practice_id);
CREATE INDEX mirror_storedfile_practice_id_daaec7bd ON public.mirror_storedfile USING btree (practice_id);
CREATE INDEX mirror_take_hl7_id_9786d7fa ON public.mirror_take USING btree (hl7_id);
CREATE INDEX mirror_take_pdf_id_ca27ca34 ON public.mirror_take USING btree (pdf_id);
CREATE INDEX mirror_take_source_id_f9a267e9 ON public.mirror_take USING btree (source_id);
CREATE INDEX order_fact_day ON public.analytics_orderfact USING btree (practice_id, counted_on);
CREATE INDEX order_fact_made ON public.analytics_orderfact USING btree (practice_id, order_id) INCLUDE (revision, zone, filed, erased);
CREATE INDEX order_fact_told ON public.analytics_orderfact USING btree (practice_id, counted_on) WHERE ((kit_on IS NOT NULL) OR (sample_on IS NOT NULL));
CREATE INDEX order_intent ON public.mirror_order USING btree (practice_id, order_intent_id);
CREATE INDEX order_late ON public.mirror_order USING btree (practice_id, expected_at) WHERE ((NOT is_demo) AND ((phase)::text = ANY ((ARRAY['awaiting_payment'::character varying, 'in_progress'::character varying, 'partial_results'::character varying])::text[])));
CREATE INDEX order_late_pages ON public.mirror_order USING btree (practice_id, id, expected_at) WHERE ((NOT is_demo) AND ((phase)::text = ANY ((ARRAY['awaiting_payment'::character varying, 'in_progress'::character varying, 'partial_results'::character varying])::text[])));
CREATE INDEX order_moment_heard ON public.mirror_ordermoment USING btree (practice_id, id);
CREATE INDEX order_pages ON public.mirror_order USING btree (practice_id, id) INCLUDE (revision, filed_at, erased_at);
CREATE INDEX order_phase_pages ON public.mirror_order USING btree (practice_id, phase, id);
CREATE INDEX order_phases ON public.mirror_order USING btree (practice_id, phase) INCLUDE (is_demo);
CREATE INDEX order_practitioner ON public.mirror_order USING btree (practice_id, practitioner_id_external, id);
CREATE INDEX order_refunded ON public.mirror_order USING btree (practice_id, id) WHERE (upper((status)::text) ~~ upper('%refund%'::text));
CREATE INDEX order_request_intent ON public.ordering_orderrequest USING btree (practice_id, intent_id);
CREATE INDEX order_request_state ON public.ordering_orderrequest USING btree (practice_id, state);
CREATE INDEX order_stuck ON public.mirror_order USING btree (practice_id) WHERE ((NOT ((filing_problem)::text = ''::text)) OR (NOT ((pull_problem)::text = ''::text)));
CREATE INDEX order_to_set_right ON public.mirror_order USING btree (practice_id, id) WHERE ((((phase)::text = 'canceled'::text) OR (upper((status)::text) ~~ upper('%refund%'::text))) AND (((superbill_status)::text = ANY ((ARRAY['issued'::character varying, 'sent'::character varying])::text[])) OR ((hsa_fsa_status)::text = 'confirmed'::text) OR ((payment_plan_status)::text = 'active'::text)));
CREATE INDEX order_under_way ON public.mirror_order USING btree (practice_id, submitted_at) WHERE ((phase)::text = ANY ((ARRAY['awaiting_payment'::character varying, 'in_progress'::character varying, 'partial_results'::character varying])::text[]));
CREATE INDEX order_unfiled ON public.mirror_order USING btree (practice_id) WHERE (filed_revision < revision);
CREATE INDEX ordered_test_kind ON public.mirror_orderedtest USING btree (practice_id, lab_test_id_external);
CREATE INDEX ordered_test_problem ON public.mirror_orderedtest USING btree (practice_id, results_received_at, id) WHERE (NOT ((problem)::text = ''::text));
CREATE INDEX ordering_formerintent_practice_id_63e07153 ON public.ordering_formerintent USING btree (practice_id);
CREATE INDEX ordering_formerintent_request_id_baafbce3 ON public.ordering_formerintent USING btree (request_id);
CREATE INDEX ordering_orderrequest_chart_id_6d70b4bb ON public.ordering_orderrequest USING btree (chart_id);
CREATE INDEX ordering_orderrequest_practice_id_61013093 ON public.ordering_orderrequest USING btree (practice_id);
CREATE INDEX outbox_agreement_practice_id_5a3ad92d ON public.outbox_agreement USING btree (practice_id);
CREATE INDEX outbox_delivery_destination_id_2a1b6981 ON public.outbox_delivery USING btree (destination_id);
CREATE INDEX outbox_delivery_fact_id_30f86b84 ON public.outbox_delivery USING btree (fact_id);
CREATE INDEX outbox_destination_agreement_id_22d37dce ON public.outbox_destination USING btree (agreement_id);
CREATE INDEX outbox_destination_practice_id_a12d0455 ON public.outbox_destination USING btree (practice_id);
CREATE INDEX outbox_fact_practice_id_b16047c8 ON public.outbox_fact USING btree (practice_id);
CREATE INDEX patient_birthday ON public.mirror_patient USING btree (practice_id, birthday_index);
CREATE INDEX patient_email ON public.mirror_patient USING btree (practice_id, email_index);
CREATE INDEX patient_lookup ON public.mirror_patient USING gin (lookup_keys);
CREATE INDEX patient_names ON public.mirror_patient USING btree (practice_id, id) INCLUDE (name_tags) WHERE (name_tags IS NOT NULL);
CREATE INDEX patient_unindexed ON public.mirror_patient USING btree (practice_id) WHERE (lookup_keys IS NULL);
CREATE INDEX patient_untagged ON public.mirror_patient USING btree (practice_id) WHERE ((erased_at IS NULL) AND (name_tags IS NULL) AND (person IS NOT NULL));
CREATE INDEX phase_tally ON public.mirror_phasetally USING btree (practice_id, phase) INCLUDE (orders);
CREATE INDEX practices_configversion_practice_id_77ccded1 ON public.practices_configversion USING btree (practice_id);
CREATE INDEX practices_configversion_undoes_id_d49d32b0 ON public.practices_configversion USING btree (undoes_id);
CREATE INDEX practices_connection_practice_id_a46171b8 ON public.practices_connection USING btree (practice_id);
CREATE INDEX practices_consent_practice_id_019b8293 ON public.practices_consent USING btree (practice_id);
CREATE INDEX practices_dryrun_practice_id_e4d6ee20 ON public.practices_dryrun USING btree (practice_id);
CREATE INDEX practices_peerclock_peer_7e4b7dfa_like ON public.practices_peerclock USING btree (peer varchar_pattern_ops);
CREATE INDEX practices_practice_slug_2971ac9a_like ON public.practices_practice USING btree (slug varchar_pattern_ops);
CREATE INDEX practices_practitioner_connection_id_1d5d93a4 ON public.practices_practitioner USING btree (connection_id);
CREATE INDEX practices_practitioner_practice_id_f5154d4a ON public.practices_practitioner USING btree (practice_id);
CREATE INDEX practices_preparation_practice_id_04b0211c ON public.practices_preparation USING btree (practice_id);
CREATE INDEX procrastinate_events_job_id_fkey_v1 ON public.procrastinate_events USING btree (job_id);
CREATE INDEX procrastinate_jobs_id_lock_idx_v1 ON public.procrastinate_jobs USING btree (id, lock) WHERE (status = ANY (ARRAY['todo'::public.procrastinate_job_status, 'doing'::public.procrastinate_job_status]));
CREATE UNIQUE INDEX procrastinate_jobs_lock_idx_v1 ON public.procrastinate_jobs USING btree (lock) WHERE (status = 'doing'::public.procrastinate_job_status);
CREATE INDEX procrastinate_jobs_priority_idx_v1 ON public.procrastinate_jobs USING btree (priority DESC, id) WHERE (status = 'todo'::public.procrastinate_job_status);
CREATE INDEX procrastinate_jobs_queue_name_idx_v1 ON public.procrastinate_jobs USING btree (queue_name);
CREATE UNIQUE INDEX procrastinate_jobs_queueing_lock_idx_v1 ON public.procrastinate_jobs USING btree (queueing_lock) WHERE (status = 'todo'::public.procrastinate_job_status);
CREATE INDEX procrastinate_periodic_defers_job_id_fkey_v1 ON public.procrastinate_periodic_defers USING btree (job_id);
CREATE INDEX reconcile_ledgerentry_practice_id_76cbf388 ON public.reconcile_ledgerentry USING btree (practice_id);
CREATE INDEX reconcile_listed_practice_id_5596f12d ON public.reconcile_listed USING btree (practice_id);
CREATE INDEX reconcile_repair_sweep_id_bb375efb ON public.reconcile_repair USING btree (sweep_id);
CREATE INDEX reconcile_rowround_practice_id_a94e81c7 ON public.reconcile_rowround USING btree (practice_id);
CREATE INDEX reconcile_sweep_practice_id_aa7a91fd ON public.reconcile_sweep USING btree (practice_id);
CREATE INDEX result_assigned ON public.mirror_result USING btree (practice_id, assigned_to) WHERE (NOT ((assigned_to)::text = ''::text));
CREATE INDEX result_fact_day ON public.analytics_resultfact USING btree (practice_id, found_on) INCLUDE (value_count);
CREATE INDEX result_queue ON public.mirror_result USING btree (practice_id, urgency DESC, found_at, id) WHERE ((reviewed_at IS NULL) AND (NOT superseded) AND (NOT withheld));
CREATE INDEX result_review_unfiled ON public.mirror_result USING btree (ordered_test_id) WHERE review_unfiled;
CREATE INDEX result_reviewed ON public.mirror_result USING btree (practice_id, reviewed_at DESC, id DESC) WHERE ((reviewed_at IS NOT NULL) AND (NOT superseded) AND (NOT withheld));
CREATE INDEX result_source_open ON public.mirror_resultsource USING btree (ordered_test_id) WHERE ((state)::text = 'pending'::text);
CREATE INDEX result_to_review ON public.mirror_result USING btree (urgency DESC, found_at, id) WHERE ((reviewed_at IS NULL) AND (NOT superseded) AND (NOT withheld));
CREATE UNIQUE INDEX sweep_open_once ON public.reconcile_sweep USING btree (practice_id) WHERE (NOT ((state)::text = 'done'::text));
CREATE INDEX sweep_started ON public.reconcile_sweep USING btree (practice_id, started_at);
CREATE INDEX test_fact_again ON public.analytics_testfact USING btree (practice_id, lab_test_key, patient_id, counted_on DESC, ordered_test_id) INCLUDE (order_id, resulted_on) WHERE (counts AND (ended_on IS NULL) AND (patient_id IS NOT NULL));
CREATE INDEX test_fact_cut_short ON public.analytics_testfact USING btree (practice_id, counted_on) INCLUDE (lab_test_key, lab, started_on, ended_on) WHERE (counts AND (resulted_on IS NULL) AND (started_on IS NOT NULL));
CREATE INDEX test_fact_day ON public.analytics_testfact USING btree (practice_id, counted_on);
CREATE INDEX test_fact_lab ON public.analytics_testfact USING btree (practice_id, lab_test_key, lab);
CREATE INDEX test_fact_open ON public.analytics_testfact USING btree (practice_id, lab, lab_test_key, started_on) WHERE open;
CREATE INDEX test_fact_waits ON public.analytics_testfact USING btree (practice_id, lab_test_key, waited, counted_on) INCLUDE (lab) WHERE (waited IS NOT NULL);
CREATE UNIQUE INDEX unique_authenticator_type ON public.mfa_authenticator USING btree (user_id, type) WHERE ((type)::text = ANY ((ARRAY['totp'::character varying, 'recovery_codes'::character varying])::text[]));
CREATE UNIQUE INDEX unique_primary_email ON public.account_emailaddress USING btree (user_id, "primary") WHERE "primary";
CREATE UNIQUE INDEX unique_verified_email ON public.account_emailaddress USING btree (email) WHERE verified;
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.billing_evidence FOR EACH ROW EXECUTE FUNCTION public.labbridge_billing_append_only();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.billing_sending FOR EACH ROW EXECUTE FUNCTION public.labbridge_billing_append_only();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.mirror_ordermoment FOR EACH ROW EXECUTE FUNCTION public.labbridge_order_moment_append_only();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.reconcile_ledgerentry FOR EACH ROW EXECUTE FUNCTION public.labbridge_append_only();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.trust_auditentry FOR EACH ROW EXECUTE FUNCTION public.labbridge_append_only();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.trust_audithead FOR EACH ROW EXECUTE FUNCTION public.labbridge_append_only();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.reconcile_ledgerentry FOR EACH STATEMENT EXECUTE FUNCTION public.labbridge_append_only();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.trust_auditentry FOR EACH STATEMENT EXECUTE FUNCTION public.labbridge_append_only();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.trust_audithead FOR EACH STATEMENT EXECUTE FUNCTION public.labbridge_append_only();
CREATE TRIGGER expected AFTER UPDATE ON public.mirror_labtest FOR EACH ROW WHEN (((old.turnaround_days IS DISTINCT FROM new.turnaround_days) OR (old.shipping_days_max IS DISTINCT FROM new.shipping_days_max))) EXECUTE FUNCTION public.labbridge_catalogue_expected();
CREATE TRIGGER expected BEFORE UPDATE ON public.mirror_order FOR EACH ROW WHEN (((old.paid_at IS DISTINCT FROM new.paid_at) OR (old.submitted_at IS DISTINCT FROM new.submitted_at) OR ((old.phase)::text IS DISTINCT FROM (new.phase)::text) OR (old.expected_at IS DISTINCT FROM new.expected_at))) EXECUTE FUNCTION public.labbridge_order_expected();
CREATE TRIGGER expected AFTER UPDATE ON public.mirror_orderedtest FOR EACH ROW WHEN (((old.order_id IS DISTINCT FROM new.order_id) OR ((old.lab_test_id_external)::text IS DISTINCT FROM (new.lab_test_id_external)::text) OR (old.removed IS DISTINCT FROM new.removed))) EXECUTE FUNCTION public.labbridge_test_expected();
CREATE TRIGGER expected_gone AFTER DELETE ON public.mirror_orderedtest REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.labbridge_tests_expected();
CREATE TRIGGER expected_new AFTER INSERT ON public.mirror_labtest FOR EACH ROW WHEN ((new.turnaround_days IS NOT NULL)) EXECUTE FUNCTION public.labbridge_catalogue_expected();
CREATE TRIGGER expected_new AFTER INSERT ON public.mirror_orderedtest REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.labbridge_tests_expected();
CREATE TRIGGER procrastinate_jobs_notify_queue_job_aborted_v1 AFTER UPDATE OF abort_requested ON public.procrastinate_jobs FOR EACH ROW WHEN (((old.abort_requested = false) AND (new.abort_requested = true) AND (new.status = 'doing'::public.procrastinate_job_status))) EXECUTE FUNCTION public.procrastinate_notify_queue_abort_job_v1();
CREATE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1 AFTER INSERT ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::public.procrastinate_job_status)) EXECUTE FUNCTION public.procrastinate_notify_queue_job_inserted_v1();
ALTER TABLE public.procrastinate_jobs DISABLE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1;
CREATE TRIGGER procrastinate_trigger_abort_requested_events_v1 AFTER UPDATE OF abort_requested ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.abort_requested = true)) EXECUTE FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1();
CREATE TRIGGER procrastinate_trigger_delete_jobs_v1 BEFORE DELETE ON public.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION public.procrastinate_unlink_periodic_defers_v1();
CREATE TRIGGER procrastinate_trigger_scheduled_events_v1 AFTER INSERT OR UPDATE ON public.procrastinate_jobs FOR EACH ROW WHEN (((new.scheduled_at IS NOT NULL) AND (new.status = 'todo'::public.procrastinate_job_status))) EXECUTE FUNCTION public.procrastinate_trigger_function_scheduled_events_v1();
ALTER TABLE public.procrastinate_jobs DISABLE TRIGGER procrastinate_trigger_scheduled_events_v1;
CREATE TRIGGER procrastinate_trigger_status_events_insert_v1 AFTER INSERT ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::public.procrastinate_job_status)) EXECUTE FUNCTION public.procrastinate_trigger_function_status_events_insert_v1();
ALTER TABLE public.procrastinate_jobs DISABLE TRIGGER procrastinate_trigger_status_events_insert_v1;
CREATE TRIGGER procrastinate_trigger_status_events_update_v1 AFTER UPDATE OF status ON public.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION public.procrastinate_trigger_function_status_events_update_v1();
ALTER TABLE public.procrastinate_jobs DISABLE TRIGGER procrastinate_trigger_status_events_update_v1;
CREATE TRIGGER tally_gone AFTER DELETE ON public.mirror_order REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.labbridge_orders_come_and_go();
CREATE TRIGGER tally_moved AFTER UPDATE ON public.mirror_order FOR EACH ROW WHEN (((old.practice_id IS DISTINCT FROM new.practice_id) OR ((old.phase)::text IS DISTINCT FROM (new.phase)::text) OR (old.is_demo IS DISTINCT FROM new.is_demo))) EXECUTE FUNCTION public.labbridge_order_moves();
CREATE TRIGGER tally_new AFTER INSERT ON public.mirror_order REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.labbridge_orders_come_and_go();
CREATE TRIGGER tally_none AFTER TRUNCATE ON public.mirror_order FOR EACH STATEMENT EXECUTE FUNCTION public.labbridge_orders_come_and_go();
ALTER TABLE ONLY public.account_emailaddress
    ADD CONSTRAINT account_emailaddress_user_id_2c513194_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.account_emailconfirmation
    ADD CONSTRAINT account_emailconfirm_email_address_id_5b7f8c58_fk_account_e FOREIGN KEY (email_address_id) REFERENCES public.account_emailaddress(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.accounts_directorysignin
    ADD CONSTRAINT accounts_directorysi_practice_id_94651d82_fk_practices FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.accounts_directorysignin
    ADD CONSTRAINT accounts_directorysignin_user_id_c8048081_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.accounts_membership
    ADD CONSTRAINT accounts_membership_practice_id_3369c93e_fk_practices FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.accounts_membership
    ADD CONSTRAINT accounts_membership_user_id_487fb39e_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.accounts_signingkey
    ADD CONSTRAINT accounts_signingkey_practice_id_45f73a18_fk_practices FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.alerts_alert
    ADD CONSTRAINT alerts_alert_practice_id_3129bf1e_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.alerts_notice
    ADD CONSTRAINT alerts_notice_alert_id_c3b3c21b_fk_alerts_alert_id FOREIGN KEY (alert_id) REFERENCES public.alerts_alert(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.analytics_orderfact
    ADD CONSTRAINT analytics_orderfact_order_id_a5c95bdd_fk_mirror_order_id FOREIGN KEY (order_id) REFERENCES public.mirror_order(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.analytics_orderfact
    ADD CONSTRAINT analytics_orderfact_practice_id_d56bb840_fk_practices FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.analytics_resultfact
    ADD CONSTRAINT analytics_resultfact_order_id_425ba720_fk_analytics FOREIGN KEY (order_id) REFERENCES public.analytics_orderfact(order_id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.analytics_resultfact
    ADD CONSTRAINT analytics_resultfact_practice_id_0eadde3d_fk_practices FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.analytics_resultfact
    ADD CONSTRAINT analytics_resultfact_result_id_e54b5be3_fk_mirror_result_id FOREIGN KEY (result_id) REFERENCES public.mirror_result(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.analytics_testfact
    ADD CONSTRAINT analytics_testfact_order_id_34e7acfc_fk_analytics FOREIGN KEY (order_id) REFERENCES public.analytics_orderfact(order_id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.analytics_testfact
    ADD CONSTRAINT analytics_testfact_ordered_test_id_9c45c212_fk_mirror_or FOREIGN KEY (ordered_test_id) REFERENCES public.mirror_orderedtest(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.analytics_testfact
    ADD CONSTRAINT analytics_testfact_practice_id_0a4e2d66_fk_practices FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissio_permission_id_84c5c92e_fk_auth_perm FOREIGN KEY (permission_id) REFERENCES public.auth_permission(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_group_id_b120cbf9_fk_auth_group_id FOREIGN KEY (group_id) REFERENCES public.auth_group(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_content_type_id_2f476e4b_fk_django_co FOREIGN KEY (content_type_id) REFERENCES public.django_content_type(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_user_groups
    ADD CONSTRAINT auth_user_groups_group_id_97559544_fk_auth_group_id FOREIGN KEY (group_id) REFERENCES public.auth_group(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_user_groups
    ADD CONSTRAINT auth_user_groups_user_id_6a12ed8b_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_user_user_permissions
    ADD CONSTRAINT auth_user_user_permi_permission_id_1fbb5f2c_fk_auth_perm FOREIGN KEY (permission_id) REFERENCES public.auth_permission(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_user_user_permissions
    ADD CONSTRAINT auth_user_user_permissions_user_id_a95ead1b_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.billing_evidence
    ADD CONSTRAINT billing_evidence_order_id_c84f929d_fk_mirror_order_id FOREIGN KEY (order_id) REFERENCES public.mirror_order(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.billing_evidence
    ADD CONSTRAINT billing_evidence_practice_id_4a69dc5f_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.billing_sending
    ADD CONSTRAINT billing_sending_superbill_id_cf7eba0d_fk_billing_superbill_id FOREIGN KEY (superbill_id) REFERENCES public.billing_superbill(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.billing_superbill
    ADD CONSTRAINT billing_superbill_order_id_b89811d5_fk_mirror_order_id FOREIGN KEY (order_id) REFERENCES public.mirror_order(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.billing_superbill
    ADD CONSTRAINT billing_superbill_practice_id_d96b7d1e_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.console_savedview
    ADD CONSTRAINT console_savedview_user_id_d07337ad_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.console_setupdraft
    ADD CONSTRAINT console_setupdraft_user_id_08e1ccd6_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.filing_filedrow
    ADD CONSTRAINT filing_filedrow_practice_id_4b4c8a26_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.filing_protocoledit
    ADD CONSTRAINT filing_protocoledit_protocol_id_83309e46_fk_mirror_protocol_id FOREIGN KEY (protocol_id) REFERENCES public.mirror_protocol(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.handover_apikey
    ADD CONSTRAINT handover_apikey_agreement_id_020a129b_fk_outbox_agreement_id FOREIGN KEY (agreement_id) REFERENCES public.outbox_agreement(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.handover_apikey
    ADD CONSTRAINT handover_apikey_practice_id_f4bea32f_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.handover_keptcall
    ADD CONSTRAINT handover_keptcall_api_key_id_d16d9911_fk_handover_apikey_id FOREIGN KEY (api_key_id) REFERENCES public.handover_apikey(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.inbox_event
    ADD CONSTRAINT inbox_event_practice_id_3ab39f4c_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mfa_authenticator
    ADD CONSTRAINT mfa_authenticator_user_id_0c3a50c0_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_chart
    ADD CONSTRAINT mirror_chart_practice_id_7215ffb5_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_ehrid
    ADD CONSTRAINT mirror_ehrid_chart_id_791db3ab_fk_mirror_chart_id FOREIGN KEY (chart_id) REFERENCES public.mirror_chart(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_ehrid
    ADD CONSTRAINT mirror_ehrid_patient_id_8a31d964_fk_mirror_patient_id FOREIGN KEY (patient_id) REFERENCES public.mirror_patient(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_ehrid
    ADD CONSTRAINT mirror_ehrid_practice_id_779119fc_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_labcompany
    ADD CONSTRAINT mirror_labcompany_practice_id_819666ca_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_labtest
    ADD CONSTRAINT mirror_labtest_practice_id_4019b87b_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_labtestchange
    ADD CONSTRAINT mirror_labtestchange_practice_id_1c04c1b5_fk_practices FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_notsame
    ADD CONSTRAINT mirror_notsame_chart_id_b0f1dbf6_fk_mirror_chart_id FOREIGN KEY (chart_id) REFERENCES public.mirror_chart(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_notsame
    ADD CONSTRAINT mirror_notsame_patient_id_a7ae95f3_fk_mirror_patient_id FOREIGN KEY (patient_id) REFERENCES public.mirror_patient(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_order
    ADD CONSTRAINT mirror_order_patient_id_baafcd25_fk_mirror_patient_id FOREIGN KEY (patient_id) REFERENCES public.mirror_patient(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_order
    ADD CONSTRAINT mirror_order_practice_id_a8f627eb_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_orderedtest
    ADD CONSTRAINT mirror_orderedtest_order_id_c26f8554_fk_mirror_order_id FOREIGN KEY (order_id) REFERENCES public.mirror_order(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_orderedtest
    ADD CONSTRAINT mirror_orderedtest_practice_id_ae71a056_fk_practices FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_ordermoment
    ADD CONSTRAINT mirror_ordermoment_order_id_87741bb5_fk_mirror_order_id FOREIGN KEY (order_id) REFERENCES public.mirror_order(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_ordermoment
    ADD CONSTRAINT mirror_ordermoment_ordered_test_id_3d640a9e_fk_mirror_or FOREIGN KEY (ordered_test_id) REFERENCES public.mirror_orderedtest(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_ordermoment
    ADD CONSTRAINT mirror_ordermoment_practice_id_66035133_fk_practices FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_ordernote
    ADD CONSTRAINT mirror_ordernote_order_id_06d6a1e8_fk_mirror_order_id FOREIGN KEY (order_id) REFERENCES public.mirror_order(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_patient
    ADD CONSTRAINT mirror_patient_connection_id_46ce87b4_fk_practices FOREIGN KEY (connection_id) REFERENCES public.practices_connection(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_patient
    ADD CONSTRAINT mirror_patient_practice_id_65d25729_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_patientlink
    ADD CONSTRAINT mirror_patientlink_chart_id_3da87215_fk_mirror_chart_id FOREIGN KEY (chart_id) REFERENCES public.mirror_chart(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_patientlink
    ADD CONSTRAINT mirror_patientlink_patient_id_5a3fdcca_fk_mirror_patient_id FOREIGN KEY (patient_id) REFERENCES public.mirror_patient(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_patientlink
    ADD CONSTRAINT mirror_patientlink_practice_id_5b43bf37_fk_practices FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_phasetally
    ADD CONSTRAINT mirror_phasetally_practice_id_24d21fe1_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_protocol
    ADD CONSTRAINT mirror_protocol_practice_id_1fc98d47_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_result
    ADD CONSTRAINT mirror_result_chart_id_13fb4440_fk_mirror_chart_id FOREIGN KEY (chart_id) REFERENCES public.mirror_chart(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_result
    ADD CONSTRAINT mirror_result_hl7_id_b88f62c7_fk_mirror_storedfile_id FOREIGN KEY (hl7_id) REFERENCES public.mirror_storedfile(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_result
    ADD CONSTRAINT mirror_result_ordered_test_id_20c21abd_fk_mirror_orderedtest_id FOREIGN KEY (ordered_test_id) REFERENCES public.mirror_orderedtest(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_result
    ADD CONSTRAINT mirror_result_pdf_id_4dcca98c_fk_mirror_storedfile_id FOREIGN KEY (pdf_id) REFERENCES public.mirror_storedfile(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_result
    ADD CONSTRAINT mirror_result_practice_id_8bb65f25_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_resultsource
    ADD CONSTRAINT mirror_resultsource_ordered_test_id_726e4939_fk_mirror_or FOREIGN KEY (ordered_test_id) REFERENCES public.mirror_orderedtest(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_resultvalue
    ADD CONSTRAINT mirror_resultvalue_result_id_8832ca85_fk_mirror_result_id FOREIGN KEY (result_id) REFERENCES public.mirror_result(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_reviewcase
    ADD CONSTRAINT mirror_reviewcase_chart_id_b9a4d593_fk_mirror_chart_id FOREIGN KEY (chart_id) REFERENCES public.mirror_chart(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_reviewcase
    ADD CONSTRAINT mirror_reviewcase_decided_patient_id_6a1d176e_fk_mirror_pa FOREIGN KEY (decided_patient_id) REFERENCES public.mirror_patient(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_reviewcase
    ADD CONSTRAINT mirror_reviewcase_patient_id_039b1a7f_fk_mirror_patient_id FOREIGN KEY (patient_id) REFERENCES public.mirror_patient(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_reviewcase
    ADD CONSTRAINT mirror_reviewcase_practice_id_57b2e5dd_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_rowtouch
    ADD CONSTRAINT mirror_rowtouch_practice_id_12315f4e_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_storedfile
    ADD CONSTRAINT mirror_storedfile_practice_id_daaec7bd_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_take
    ADD CONSTRAINT mirror_take_hl7_id_9786d7fa_fk_mirror_storedfile_id FOREIGN KEY (hl7_id) REFERENCES public.mirror_storedfile(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_take
    ADD CONSTRAINT mirror_take_pdf_id_ca27ca34_fk_mirror_storedfile_id FOREIGN KEY (pdf_id) REFERENCES public.mirror_storedfile(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.mirror_take
    ADD CONSTRAINT mirror_take_source_id_f9a267e9_fk_mirror_resultsource_id FOREIGN KEY (source_id) REFERENCES public.mirror_resultsource(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.ordering_formerintent
    ADD CONSTRAINT ordering_formerinten_practice_id_63e07153_fk_practices FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.ordering_formerintent
    ADD CONSTRAINT ordering_formerinten_request_id_baafbce3_fk_ordering_ FOREIGN KEY (request_id) REFERENCES public.ordering_orderrequest(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.ordering_orderrequest
    ADD CONSTRAINT ordering_orderreques_practice_id_61013093_fk_practices FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.ordering_orderrequest
    ADD CONSTRAINT ordering_orderrequest_chart_id_6d70b4bb_fk_mirror_chart_id FOREIGN KEY (chart_id) REFERENCES public.mirror_chart(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.outbox_agreement
    ADD CONSTRAINT outbox_agreement_practice_id_5a3ad92d_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.outbox_delivery
    ADD CONSTRAINT outbox_delivery_destination_id_2a1b6981_fk_outbox_de FOREIGN KEY (destination_id) REFERENCES public.outbox_destination(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.outbox_delivery
    ADD CONSTRAINT outbox_delivery_fact_id_30f86b84_fk_outbox_fact_id FOREIGN KEY (fact_id) REFERENCES public.outbox_fact(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.outbox_destination
    ADD CONSTRAINT outbox_destination_agreement_id_22d37dce_fk_outbox_agreement_id FOREIGN KEY (agreement_id) REFERENCES public.outbox_agreement(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.outbox_destination
    ADD CONSTRAINT outbox_destination_practice_id_a12d0455_fk_practices FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.outbox_fact
    ADD CONSTRAINT outbox_fact_practice_id_b16047c8_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.practices_configversion
    ADD CONSTRAINT practices_configvers_practice_id_77ccded1_fk_practices FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.practices_configversion
    ADD CONSTRAINT practices_configvers_undoes_id_d49d32b0_fk_practices FOREIGN KEY (undoes_id) REFERENCES public.practices_configversion(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.practices_connection
    ADD CONSTRAINT practices_connection_practice_id_a46171b8_fk_practices FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.practices_consent
    ADD CONSTRAINT practices_consent_practice_id_019b8293_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.practices_dryrun
    ADD CONSTRAINT practices_dryrun_practice_id_e4d6ee20_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.practices_practitioner
    ADD CONSTRAINT practices_practition_connection_id_1d5d93a4_fk_practices FOREIGN KEY (connection_id) REFERENCES public.practices_connection(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.practices_practitioner
    ADD CONSTRAINT practices_practition_practice_id_f5154d4a_fk_practices FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.practices_preparation
    ADD CONSTRAINT practices_preparatio_practice_id_04b0211c_fk_practices FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.procrastinate_events
    ADD CONSTRAINT procrastinate_events_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.procrastinate_jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES public.procrastinate_workers(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.procrastinate_jobs(id);
ALTER TABLE ONLY public.reconcile_filecheck
    ADD CONSTRAINT reconcile_filecheck_source_id_3b813b25_fk_mirror_re FOREIGN KEY (source_id) REFERENCES public.mirror_resultsource(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.reconcile_ledgerentry
    ADD CONSTRAINT reconcile_ledgerentr_practice_id_76cbf388_fk_practices FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.reconcile_listed
    ADD CONSTRAINT reconcile_listed_practice_id_5596f12d_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.reconcile_repair
    ADD CONSTRAINT reconcile_repair_sweep_id_bb375efb_fk_reconcile_sweep_id FOREIGN KEY (sweep_id) REFERENCES public.reconcile_sweep(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.reconcile_rowround
    ADD CONSTRAINT reconcile_rowround_practice_id_a94e81c7_fk_practices FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.reconcile_sweep
    ADD CONSTRAINT reconcile_sweep_practice_id_aa7a91fd_fk_practices_practice_id FOREIGN KEY (practice_id) REFERENCES public.practices_practice(id) DEFERRABLE INITIALLY DEFERRED;
