using Dapper;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.Control.Tests.Database;

/// <summary>Row-level security, tried as each role: what one tenant's caller can reach of another's, table by table.</summary>
public sealed class RowSecurityTests : IAsyncLifetime
{
    private const string WithTenant =
        """
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind::text = ANY (@kinds) AND NOT c.relispartition ORDER BY 1
        """;

    private TestDatabase database = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        database = await PostgresFixture.CreateDatabaseAsync(Token);
        await using var connection = await database.OpenAsync(Token);
        foreach (var tenant in new[] { "acme", "globex" })
        {
            var binding = await new BindingSeed(database).BindAsync(BindingSeed.Job("daily").Replace("acme", tenant, StringComparison.Ordinal), token: Token);
            await connection.ExecuteAsync(Rows, new { tenant, binding });
        }
    }

    public ValueTask DisposeAsync() => database.DisposeAsync();

    [Fact]
    public async Task Every_table_and_partition_with_a_tenant_is_closed_and_forced()
    {
        await using var connection = await database.OpenAsync(Token);
        var open = await connection.QueryAsync<string>(
            """
            SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname IN ('tenant_id', 'principal')
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
            """);
        Assert.Empty(open);
        Assert.Empty(await connection.QueryAsync<string>(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'v' AND NOT coalesce(reloptions, '{}') @> '{security_invoker=true}'"));
    }

    [Fact]
    public async Task A_caller_sees_the_rows_of_its_own_tenants_in_every_table_and_view()
    {
        foreach (var relation in await RelationsAsync("r", "p", "v"))
        {
            Assert.Equal(["acme", "globex"], await TenantsOfAsync(database.Superuser, relation, null));
            Assert.Equal(["acme"], await TenantsOfAsync(database.Requests, relation, "acme"));
            Assert.Equal(["acme", "globex"], await TenantsOfAsync(database.Requests, relation, "acme,globex"));
            Assert.Equal(["acme", "globex"], await TenantsOfAsync(database.Requests, relation, "*"));
            foreach (var nobody in new[] { null, "", "acm", "acme ", "'acme'", "{acme}", "acme;globex" })
                Assert.Empty(await TenantsOfAsync(database.Requests, relation, nobody));
        }
    }

    [Fact]
    public async Task The_scheduler_and_the_reader_see_every_tenant_and_the_owner_none()
    {
        foreach (var relation in await RelationsAsync("r", "p", "v"))
        {
            Assert.Equal(["acme", "globex"], await TenantsOfAsync(database.Scheduler, relation, null));
            Assert.Equal(["acme", "globex"], await TenantsOfAsync(database.Reader, relation, null));
            Assert.Empty(await TenantsOfAsync(database.Owner, relation, "*"));
        }
    }

    [Fact]
    public async Task Nothing_of_another_tenants_is_written_changed_or_taken_over()
    {
        foreach (var table in await RelationsAsync("r", "p"))
        {
            await using var tx = await CallerAsync(database.Requests, "acme");
            Assert.True(await TouchedAsync(tx, $"UPDATE {table} SET tenant_id = tenant_id WHERE tenant_id = 'globex'") is 0 or null, $"{table}: updated another's row");
            Assert.True(await TouchedAsync(tx, $"DELETE FROM {table} WHERE tenant_id = 'globex'") is 0 or null, $"{table}: deleted another's row");
            Assert.True(await TouchedAsync(tx, $"UPDATE {table} SET tenant_id = 'globex' WHERE tenant_id = 'acme'") is null, $"{table}: gave a row away");
            var columns = await WrittenColumnsAsync(table);
            Assert.True(await TouchedAsync(tx, $"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM (SELECT (jsonb_populate_record(NULL::{table}, to_jsonb(t) || '{{\"tenant_id\": \"globex\"}}')).* FROM {table} t) AS theirs") is null, $"{table}: wrote another's row");
        }
    }

    // What is generated from others nobody writes.
    private async Task<string> WrittenColumnsAsync(string table)
    {
        await using var connection = await database.OpenAsync();
        return (await connection.QuerySingleAsync<string>("SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = @table::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''", new { table }))!;
    }

    [Fact]
    public async Task A_caller_cannot_leave_its_role_turn_security_off_or_go_around_the_parents()
    {
        await using var tx = await CallerAsync(database.Requests, "acme");
        foreach (var way in new[]
        {
            "SET ROLE kpi_scheduler", "SET ROLE kpi_owner", "SET SESSION AUTHORIZATION kpi_test_scheduler", "SET LOCAL row_security = off; SELECT FROM kpi_job_def",
            $"SELECT FROM kpi_job_history_{TimeProvider.System.GetUtcNow():yyyyMM}",
            "SELECT FROM kpi_chain_pending", "SELECT kpi_make_partitions(1)", "SELECT kpi_close_over_tenant('kpi_job_def')", "DROP POLICY of_the_callers_tenants ON kpi_job_def",
            "ALTER TABLE kpi_job_def DISABLE ROW LEVEL SECURITY", "CREATE TABLE mine ()", "ALTER FUNCTION kpi_caller_tenants() OWNER TO CURRENT_USER",
        })
            Assert.True(await TouchedAsync(tx, way) is null, $"{way}: went through");
    }

    [Fact]
    public async Task The_roles_of_requests_scheduler_and_reader_own_nothing_and_bypass_nothing()
    {
        await using var connection = await database.OpenAsync(Token);
        Assert.Empty(await connection.QueryAsync<string>(
            """
            SELECT format('%s of %s', c.relname, r.rolname) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname ~ '^kpi_(test_)?(requests|scheduler|reader)$'
            UNION ALL SELECT format('%s of %s', p.proname, r.rolname) FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner WHERE r.rolname ~ '^kpi_(test_)?(requests|scheduler|reader)$'
            UNION ALL SELECT rolname FROM pg_roles WHERE rolname ~ '^kpi_(test_)?(requests|scheduler|reader)$' AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)
            UNION ALL SELECT format('%s in %s', m.rolname, g.rolname) FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member JOIN pg_roles g ON g.oid = a.roleid
              WHERE m.rolname IN ('kpi_requests', 'kpi_scheduler', 'kpi_reader')
            """));
    }

    [Fact]
    public async Task Functions_that_a_caller_may_run_are_the_ones_that_are_meant_for_it()
    {
        await using var connection = await database.OpenAsync(Token);
        var mayRun = await connection.QueryAsync<string>(
            "SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND has_function_privilege('kpi_requests', oid, 'EXECUTE') AND prorettype <> 'trigger'::regtype ORDER BY 1");
        Assert.Equal(["kpi_caller_is_everywhere", "kpi_caller_tenants", "kpi_change_behind", "kpi_kind_name", "kpi_timeline"], mayRun);
        Assert.Equal(["kpi_make_partitions"], await connection.QueryAsync<string>("SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"));
    }

    [Fact]
    public async Task The_tenant_is_gone_with_its_transaction_though_the_connection_stays()
    {
        await using var one = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(database.Requests) { MaxPoolSize = 1, NoResetOnClose = true }.ConnectionString);
        foreach (var tenant in new[] { "acme", "globex" })
        {
            await using (var connection = await one.OpenConnectionAsync(Token))
            await using (var tx = await connection.BeginTransactionAsync(Token))
            {
                await SetCallerAsync(connection, tenant);
                Assert.Equal([tenant], await connection.QueryAsync<string>("SELECT tenant_id FROM kpi_job_def"));
                await tx.CommitAsync(Token);
            }
            await using var after = await one.OpenConnectionAsync(Token);
            Assert.Empty(await after.QueryAsync<string>("SELECT tenant_id FROM kpi_job_def"));
        }
    }

    [Fact]
    public async Task An_answer_kept_for_a_repetition_is_its_callers_alone()
    {
        await using var tx = await CallerAsync(database.Requests, "*", "ann");
        Assert.Equal(1, await TouchedAsync(tx, "INSERT INTO kpi_request (principal, request_id, method, body_digest) VALUES ('ann', gen_random_uuid(), 'm', '')"));
        Assert.Null(await TouchedAsync(tx, "INSERT INTO kpi_request (principal, request_id, method, body_digest) VALUES ('bob', gen_random_uuid(), 'm', '')"));
        await tx.Connection.ExecuteAsync("SELECT set_config('kpi.principal', 'bob', true)");
        Assert.Empty(await tx.Connection.QueryAsync<string>("SELECT principal FROM kpi_request"));
    }

    private async Task<IReadOnlyList<string>> RelationsAsync(params string[] kinds)
    {
        await using var connection = await database.OpenAsync(Token);
        return (await connection.QueryAsync<string>(WithTenant, new { kinds })).AsList();
    }

    private static async Task<IReadOnlyList<string>> TenantsOfAsync(string login, string relation, string? tenants)
    {
        await using var tx = await CallerAsync(login, tenants);
        return (await tx.Connection.QueryAsync<string>($"SELECT DISTINCT tenant_id FROM {relation} ORDER BY 1")).AsList();
    }

    private static async Task<Asking> CallerAsync(string login, string? tenants, string principal = "")
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(login) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(Token);
        var asking = new Asking(connection, await connection.BeginTransactionAsync(Token));
        if (tenants is not null)
            await SetCallerAsync(connection, tenants, principal);
        return asking;
    }

    private static Task SetCallerAsync(NpgsqlConnection connection, string tenants, string principal = "") =>
        connection.ExecuteAsync("SELECT set_config('kpi.tenants', @tenants, true), set_config('kpi.principal', @principal, true)", new { tenants, principal });

    /// <summary>How many rows a statement touched; null: it was refused. Nothing of it stays.</summary>
    private static async Task<int?> TouchedAsync(Asking tx, string sql)
    {
        await tx.Transaction.SaveAsync("before", Token);
        try
        {
            return await tx.Connection.ExecuteAsync(sql);
        }
        catch (PostgresException refused)
        {
            Assert.True(refused.SqlState == PostgresErrorCodes.InsufficientPrivilege, $"{sql}: {refused.SqlState} {refused.MessageText}");
            return null;
        }
        finally
        {
            await tx.Transaction.RollbackAsync("before", Token);
        }
    }

    private sealed record Asking(NpgsqlConnection Connection, NpgsqlTransaction Transaction) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => Connection.DisposeAsync();
    }

    // A row of the tenant in each table that binding a job leaves empty. A table that comes later needs its row here.
    private const string Rows =
        """
        INSERT INTO kpi_tenant_policy (tenant_id, environment, version, document) VALUES (@tenant, 'dev', 1, '{}');
        INSERT INTO kpi_calendar (tenant_id, name, version, digest, format, content, canonical_json, created_by) VALUES (@tenant, 'days', 1, 'sha256:' || repeat('0', 64), 'yaml', '', '{}', 'x');
        INSERT INTO kpi_job_dependency (binding_id, dep_type, dep_value, tenant_id) VALUES (@binding, 'gdp', 'GDP_X', @tenant);
        INSERT INTO kpi_lineage_source (binding_id, source_type, source_name, tenant_id) VALUES (@binding, 'gdp', 'GDP_X', @tenant);
        INSERT INTO kpi_job_alert (binding_id, channel_type, channel_value, severity, tenant_id, events) VALUES (@binding, 'email', 'a', 'low', @tenant, '{failed}');
        WITH p AS (INSERT INTO kpi_pause (binding_id, tenant_id, paused_until, paused_by) VALUES (@binding, @tenant, 'infinity', 'x') RETURNING pause_id)
          INSERT INTO kpi_pause_end (pause_id, tenant_id, ended_at, ended_by) SELECT pause_id, @tenant, now(), 'x' FROM p;
        INSERT INTO kpi_parked (binding_id, lane, tenant_id, state, ready_at) VALUES (@binding, 1, @tenant, 'R', now());
        INSERT INTO kpi_aside (binding_id, tenant_id, occ_state, occ_scheduled_for, occ_kind, occ_business_date, occ_cancel, retry_count, fence_n, fence_epoch) VALUES (@binding, @tenant, 'R', now(), 0, now(), false, 1, 0, 0);
        INSERT INTO kpi_occurrence (binding_id, scheduled_for, kind, last_slot, lane, business_date, revision, tenant_id, requested_by) VALUES (@binding, now(), 2, now(), 1, now(), 1, @tenant, 'x');
        INSERT INTO kpi_slot (binding_id, slot_key, tenant_id) VALUES (@binding, 'manual:x', @tenant);
        WITH f AS (INSERT INTO kpi_backfill (binding_id, tenant_id, first_date, last_date, newest_first, rerun, requested_by)
                   VALUES (@binding, @tenant, '2026-01-01', '2026-01-01', false, false, 'test') RETURNING backfill_id)
        INSERT INTO kpi_backfill_slot (backfill_id, ordinal, binding_id, tenant_id, slot, occurrence_at, business_date, state) SELECT backfill_id, 1, @binding, @tenant, now(), now(), now(), 'pending' FROM f;
        INSERT INTO kpi_occurrence_wait (binding_id, dep_type, dep_value, tenant_id, environment, region, business_date, scheduled_for) VALUES (@binding, 'gdp', 'GDP_X', @tenant, 'dev', 'eu', now(), now());
        WITH s AS (INSERT INTO kpi_signal (tenant_id, environment, name, published_by) VALUES (@tenant, 'dev', 'x', 'x') RETURNING signal_id)
          INSERT INTO kpi_signal_use (signal_id, binding_id, tenant_id, scheduled_for) SELECT signal_id, @binding, @tenant, now() FROM s;
        INSERT INTO kpi_refresh (tenant_id, environment, dataset, data_through, source_run, published_by) VALUES (@tenant, 'dev', 'GDP_X', now(), 'x', 'x');
        INSERT INTO kpi_late_refresh (refresh_id, tenant_id) SELECT refresh_id, @tenant FROM kpi_refresh WHERE tenant_id = @tenant;
        WITH o AS (INSERT INTO kpi_restatement (tenant_id, binding_id, cause, refresh_id, source, first_date, last_date, expires_at)
          SELECT @tenant, @binding, 'refresh', refresh_id, 'GDP_X', now(), now(), now() + interval '1 hour' FROM kpi_refresh WHERE tenant_id = @tenant RETURNING restatement_id),
        d AS (INSERT INTO kpi_restatement_decision (restatement_id, principal, tenant_id, capacity, decision, digest) SELECT restatement_id, 'x', @tenant, 'business', 'approve', '' FROM o)
        INSERT INTO kpi_restatement_slot (restatement_id, business_date, binding_id, tenant_id, run_id, revision, slot, cause_key) SELECT restatement_id, now(), @binding, @tenant, 1, 1, now(), 'refresh/1' FROM o;
        INSERT INTO kpi_node (name, generation, expires_at) VALUES ('n', 1, now()) ON CONFLICT DO NOTHING;
        WITH s AS (INSERT INTO kpi_session (agent, instance, region, node_id, node_generation, generation, build, slots) SELECT @tenant, gen_random_uuid(), 'eu', node_id, 1, 1, 'x', 1 FROM kpi_node RETURNING session_id)
          INSERT INTO kpi_session_tenant (session_id, tenant_id) SELECT session_id, @tenant FROM s;
        INSERT INTO kpi_sla_clock (binding_id, clock, tenant_id) VALUES (@binding, 'freshness', @tenant);
        INSERT INTO kpi_override (tenant_id, binding_id, kind, value, reason, created_by, expires_at) VALUES (@tenant, @binding, 'timeout', '2h', 'x', 'x', now() + interval '1 hour');
        INSERT INTO kpi_sla_episode (tenant_id, binding_id, clock, opened_at, resolved_at, resolution) VALUES (@tenant, @binding, 'freshness', now(), now(), 'recovered');
        INSERT INTO kpi_alert_message (tenant_id, binding_id, event, channel_type, channel_value, severity, occurred_at) VALUES (@tenant, @binding, 'failure', 'email', 'email:a@b', 'low', now());
        INSERT INTO kpi_run_notice (tenant_id, binding_id, run_id, kind) VALUES (@tenant, @binding, 1, 'slow');
        INSERT INTO kpi_job_history (run_id, binding_id, scheduled_for, revision, business_date, lane, final, tenant_id, status, trigger_kind) VALUES (@binding, @binding, now(), 1, now(), 1, true, @tenant, 'failed', 'schedule');
        INSERT INTO kpi_evidence (run_id, binding_id, tenant_id, attempt_id, kind, document) VALUES (@binding, @binding, @tenant, gen_random_uuid(), 'run', '{}');
        INSERT INTO kpi_audit (tenant_id, actor, verb, object_kind, object_id) VALUES (@tenant, 'x', 'Run', 'binding', 'x');
        WITH c AS (INSERT INTO kpi_change (tenant_id, environment, region, job_id, binding_id, kind, def_id, content_hash, format, content, base_revision, contract_digest, policy_version, digest, required, author, expires_at)
          SELECT @tenant, 'dev', 'eu', 'daily', b.binding_id, 'create', b.def_id, 'sha256:x', 'yaml', '', 1, '', 0, 'sha256:' || repeat('0', 64), '[]', 'x', now() FROM kpi_job_binding b WHERE b.binding_id = @binding RETURNING change_id)
          INSERT INTO kpi_change_decision (change_id, principal, tenant_id, capacity, decision, digest) SELECT change_id, 'x', @tenant, 'business', 'approve', '' FROM c;
        INSERT INTO kpi_break_glass_approval (change_id, principal, tenant_id, capacity, digest, reason, expires_at) SELECT change_id, 'x', @tenant, 'business', '', 'x', now() + interval '1 hour' FROM kpi_change WHERE tenant_id = @tenant;
        INSERT INTO kpi_change_review (change_id, tenant_id, environment, reason, participants) SELECT change_id, @tenant, 'dev', 'x', '{a,b,c}' FROM kpi_change WHERE tenant_id = @tenant;
        INSERT INTO kpi_store (store, tenant_id, environment, kind, location, paths) VALUES (@tenant, @tenant, 'dev', 'directory', '/srv', '{}');
        INSERT INTO kpi_store_artifact (store, path, tenant_id, version, format, fault, problem) VALUES (@tenant, 'a.yaml', @tenant, '1', 'yaml', 'invalid', 'x');
        INSERT INTO kpi_source_ref (binding_id, tenant_id, store) VALUES (@binding, @tenant, @tenant);
        INSERT INTO kpi_lineage_cursor (tenant_id, seq) VALUES (@tenant, 0);
        INSERT INTO kpi_lineage_event (tenant_id, binding_id, revision, attempt_id, event_type, scheduled_for) VALUES (@tenant, @binding, 1, gen_random_uuid(), 'START', now());
        INSERT INTO kpi_store_write (binding_id, tenant_id, store, path, def_id, content_hash, requested_by) SELECT @binding, @tenant, @tenant, 'a.yaml', def_id, 'sha256:' || repeat('0', 64), 'x' FROM kpi_job_binding WHERE binding_id = @binding;
        INSERT INTO kpi_chain_head (tenant_id, seq, hash) VALUES (@tenant, 1, decode(repeat('00', 32), 'hex'));
        INSERT INTO kpi_chain_link (tenant_id, seq, linked_at, row_kinds, row_ids, row_times, row_hashes, prev_hash, hash)
          VALUES (@tenant, 1, now(), '{a}', '{1}', ARRAY[now()], decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'));
        INSERT INTO kpi_chain_checkpoint (tenant_id, seq, hash, signed_at, key_id, signature) VALUES (@tenant, 1, decode(repeat('00', 32), 'hex'), now(), 'x', '');
        """;
}
