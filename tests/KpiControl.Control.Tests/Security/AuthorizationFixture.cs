using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Net.Client;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Security;

/// <summary>A node with one of everything of the tenant acme, a valid request for each method about it, and tokens of every kind.</summary>
public sealed class AuthorizationFixture : IAsyncLifetime
{
    private static readonly TimeSpan Past = TimeSpan.FromHours(-1);

    private readonly Dictionary<string, GrpcChannel> channels = [];
    private long runId;
    private long episodeId;
    private long changeId;
    private string planDigest = "";
    private long backfillId;
    private long alertId;
    private long lineageEventId;
    private long restatementId;

    public ControlFixture Control { get; } = new();

    public long BindingId { get; private set; }

    public IReadOnlyList<(string What, string Token)> BadTokens { get; private set; } = [];

    public async ValueTask InitializeAsync()
    {
        await Control.InitializeAsync();
        var token = CancellationToken.None;
        var host = Control.Host;
        BindingId = (await host.CreateSimpleAsync(token, "guarded")).BindingId;
        await host.Catalog().PutCalendarAsync(new PutCalendarRequest { Tenant = "acme", Content = "calendar: known" }, cancellationToken: token);
        await new DriftService.DriftServiceClient(host.Channel()).SetOverrideAsync(new SetOverrideRequest
        {
            BindingId = BindingId, Kind = "timeout", Value = "30m", Reason = "known", ExpiresAt = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow().AddDays(1)),
        }, cancellationToken: token);
        // A run that ended, and an occurrence that is open.
        await host.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = BindingId }, cancellationToken: token);
        await host.Jobs().CancelOccurrenceAsync(new CancelOccurrenceRequest { BindingId = BindingId }, cancellationToken: token);
        runId = (await host.Jobs().ListRunsAsync(new ListRunsRequest { BindingId = BindingId }, cancellationToken: token)).Runs[0].RunId;
        await host.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = BindingId }, cancellationToken: token);
        changeId = (await new ChangeService.ChangeServiceClient(host.Channel()).ProposeChangeAsync(new ProposeChangeRequest { Content = SampleTexts.Simple("guarded", "0 4 * * *") }, cancellationToken: token)).ChangeId;
        planDigest = (await new ChangeService.ChangeServiceClient(host.Channel()).PlanJobsAsync(new PlanJobsRequest { Artifacts = { new PlanArtifact { Content = SampleTexts.Simple("guarded", "0 5 * * *") } } }, cancellationToken: token)).Digest;
        backfillId = (await host.Jobs().BackfillJobAsync(new BackfillJobRequest { BindingId = BindingId, FirstDate = "2025-01-01", LastDate = "2025-01-01" }, cancellationToken: token)).BackfillId;
        await new SignalService.SignalServiceClient(host.Channel()).PublishSignalAsync(new PublishSignalRequest { Tenant = "acme", Name = "told" }, cancellationToken: token);
        await Control.RunAsync("""
            WITH n AS (INSERT INTO kpi_node (name, generation, expires_at) VALUES ('gone', 1, now()) RETURNING node_id), a AS (INSERT INTO kpi_agent (agent) VALUES ('agent-known'))
            INSERT INTO kpi_session (agent, instance, region, node_id, node_generation, generation, build, slots, ended_at, end_reason)
            SELECT 'agent-known', gen_random_uuid(), 'eu', node_id, 1, 1, 'test', 1, now(), 'drained' FROM n
            """);
        await Control.RunAsync("""
            INSERT INTO kpi_store (store, tenant_id, environment, kind, location, paths) VALUES ('acme-store', 'acme', 'dev', 'directory', '/srv', '{**/*.yaml}');
            INSERT INTO kpi_source_ref (binding_id, tenant_id, store) VALUES (@BindingId, 'acme', 'acme-store')
            """, new { BindingId });
        await Control.RunAsync("""
            INSERT INTO kpi_enrolment (token_hash, agent, region, tenants, reason, created_by, expires_at) VALUES (sha256('t'), 'agent-x', 'eu', '{acme}', '', 'test', now() + interval '1 hour')
            """);
        episodeId = await Control.ScalarAsync<long>("""
            INSERT INTO kpi_sla_episode (tenant_id, binding_id, clock, opened_at, breached_at, breach_recorded_at, silenced_until, silenced_by, silence_reason)
            VALUES ('acme', @BindingId, 'failure', now(), now(), now(), now() + interval '1 hour', 'test', 'known') RETURNING episode_id
            """, new { BindingId });
        alertId = await Control.ScalarAsync<long>("""
            INSERT INTO kpi_alert_message (tenant_id, binding_id, event, channel_type, channel_value, severity, occurred_at, group_id, state, last_error)
            VALUES ('acme', @BindingId, 'skipped', 'email', 'email:a@example.com', 'low', now(), 1, 'dead', 'away') RETURNING message_id
            """, new { BindingId });
        lineageEventId = await Control.ScalarAsync<long>("""
            INSERT INTO kpi_lineage_event (tenant_id, binding_id, revision, attempt_id, event_type, scheduled_for, state, ended_at)
            VALUES ('acme', @BindingId, 1, gen_random_uuid(), 'START', now(), 'dead', now()) RETURNING event_id
            """, new { BindingId });
        restatementId = await Control.ScalarAsync<long>("""
            WITH f AS (INSERT INTO kpi_refresh (tenant_id, environment, dataset, data_through, source_run, published_by) VALUES ('acme', 'dev', 'GDP_Known', now(), 'r', 'test') RETURNING refresh_id)
            INSERT INTO kpi_restatement (tenant_id, binding_id, cause, refresh_id, source, first_date, last_date, expires_at)
            SELECT 'acme', @BindingId, 'refresh', refresh_id, 'GDP_Known', '2026-01-31', '2026-01-31', now() + interval '1 day' FROM f RETURNING restatement_id
            """, new { BindingId });
        var admin = new Dictionary<string, object> { ["sub"] = "admin@acme.example", ["kpi_roles"] = new[] { "acme/*/admin" } };
        BadTokens =
        [
            ("no token", ""), ("a forged token", Control.Issuer.ForgedToken()), ("an expired token", Control.Issuer.Token(admin, Past)),
            ("another audience", Control.Issuer.Token(admin, audience: "somebody-else")), ("alg none", Unsigned(Control.Issuer.Token())), ("no JWT", "letmein"),
        ];
    }

    public string TokenOf(string role, string tenant, string environment = "*") => role switch
    {
        "agent" => Control.Issuer.AgentToken("agent-m", "eu", tenant),
        "platform_operator" => Control.Issuer.PersonToken("operator", "*/*/platform_operator"),
        _ => Control.Issuer.PersonToken($"{role}@{tenant}", $"{tenant}/{environment}/{role}"),
    };

    public GrpcChannel Channel(string token)
    {
        if (!channels.TryGetValue(token, out var channel))
            channels[token] = channel = Control.Host.Channel(token);
        return channel;
    }

    /// <summary>A request that is right in every way; a mutation only rehearses.</summary>
    public byte[] RequestFor(MethodDescriptor method, long? bindingId = null)
    {
        var id = bindingId ?? BindingId;
        object about = method.Name switch
        {
            "ValidateJob" => new { content = SampleTexts.Simple() },
            "CreateJob" => new { content = SampleTexts.Simple("fresh"), validate_only = true },
            "UpdateJob" => new { binding_id = id, content = SampleTexts.Simple("guarded", "0 5 * * *"), validate_only = true },
            "ListChanges" or "ListReviews" or "ListStores" or "ListDrift" or "ListJobs" or "ListSignals" or "ListAgents" or "GetEpoch" or "GetAuditKey" or "Diagnose" or "Work" or "ListEnrolments" or "ListTenants" or "Enroll" or "Renew" or "ListSlaStates" or "ReportSla" or "ListEpisodes" or "ListDeadAlerts" or "ListDeadEvents" or "Exchange" or "ListOverrides" or "GetLoadMap" or "GetOverview" or "ListRestatements" => new { },
            "SetOverride" => new { binding_id = id, kind = "priority", value = "1", reason = "known", expires_at = TimeProvider.System.GetUtcNow().AddDays(1).ToString("O"), validate_only = true },
            "ClearOverride" => new { binding_id = id, kind = "timeout", validate_only = true },
            "ResendEvents" => new { event_id = lineageEventId, validate_only = true },
            "ResendAlert" => new { message_id = alertId, validate_only = true },
            "GetEpisode" => new { episode_id = episodeId },
            "AcknowledgeEpisode" or "UnsilenceEpisode" => new { episode_id = episodeId, validate_only = true },
            "SilenceEpisode" => new { episode_id = episodeId, until = "2099-01-31T00:00:00Z", reason = "known", validate_only = true },
            "PlanJobs" => new { artifacts = new[] { new { content = SampleTexts.Simple("guarded", "0 5 * * *") } } },
            "ApplyPlan" => new { artifacts = new[] { new { content = SampleTexts.Simple("guarded", "0 5 * * *") } }, plan_digest = planDigest, validate_only = true },
            "ProposeChange" => new { content = SampleTexts.Simple("guarded", "0 5 * * *"), validate_only = true },
            "PromoteJob" => new { binding_id = id, to_environment = "stg", validate_only = true },
            "RollBackJob" => new { binding_id = id, validate_only = true },
            "GetChange" => new { change_id = changeId },
            "CloseReview" => new { change_id = changeId, comment = "looked at", validate_only = true },
            "ApproveChange" or "WithdrawChange" or "ApplyChange" => new { change_id = changeId, validate_only = true },
            "RejectChange" => new { change_id = changeId, comment = "not so", validate_only = true },
            "CreateEnrolment" => new { agent = "agent-new", region = "eu", tenants = new[] { "acme" }, validate_only = true },
            "RevokeEnrolment" => new { enrolment_id = 1, validate_only = true },
            "RegisterAgent" => new { agent = "agent-known", region = "eu", tenants = new[] { "acme" }, validate_only = true },
            "RevokeAgent" => new { agent = "agent-known", reason = "stolen", validate_only = true },
            "DrainAgent" or "ResumeAgent" => new { agent = "agent-known", validate_only = true },
            "BumpEpoch" => new { reason = "a restore", validate_only = true },
            "PauseJob" or "ResumeJob" or "TriggerJob" or "CancelOccurrence" => new { binding_id = id, validate_only = true },
            "BackfillJob" => new { binding_id = id, first_date = "2026-01-01", last_date = "2026-01-01", validate_only = true },
            "ListBackfills" => new { },
            "GetRestatement" => new { restatement_id = restatementId },
            "AcceptRestatement" => new { restatement_id = restatementId, validate_only = true },
            "DeclineRestatement" => new { restatement_id = restatementId, reason = "known", validate_only = true },
            "ApproveRestatement" or "RejectRestatement" => new { restatement_id = restatementId, comment = "known", validate_only = true },
            "GetBackfill" => new { backfill_id = backfillId },
            "CancelBackfill" => new { backfill_id = backfillId, validate_only = true },
            "ReplayRun" => new { run_id = runId, validate_only = true },
            "GetRun" or "GetLineage" or "ExportEvidence" => new { run_id = runId },
            "GetDrift" or "GetJob" or "ListRuns" or "PreviewSchedule" or "ExplainOccurrence" or "WatchJobs" => new { binding_id = id },
            "PutContract" => new { tenant = "acme", content = SampleTexts.SimpleContract("9.0.0"), validate_only = true },
            "GetContract" => new { tenant = "acme", kpi_id = "T-SIMPLE", version = "1.0.0" },
            "PutCalendar" => new { tenant = "acme", content = "calendar: guarded", validate_only = true },
            "GetCalendar" => new { tenant = "acme", name = "known" },
            "ListTemplates" => new { },
            "RenderTemplate" => new { tenant = "acme", template = "daily-kpi", kpi_id = "T-SIMPLE", version = "1.0.0" },
            "CreateTenant" => new { tenant = "newcomer", home_region = "eu", validate_only = true },
            "UpdateTenant" => new { tenant = "acme", weight = 3, validate_only = true },
            "ReconcileJob" => new { binding_id = id, direction = "roll_back", validate_only = true },
            "SyncStore" => new { store = "acme-store", validate_only = true },
            "GetTenant" or "ListPolicies" => new { tenant = "acme" },
            "GetPolicy" => new { tenant = "acme", environment = "dev" },
            "PutPolicy" => new { tenant = "acme", environment = "dev", requires_owners = true, validate_only = true },
            "ListContracts" or "ListCalendars" or "ListAudit" or "ExportAudit" or "VerifyAudit" => new { tenant = "acme" },
            "SetContractStatus" => new { tenant = "acme", kpi_id = "T-SIMPLE", version = "1.0.0", status = "deprecated", validate_only = true },
            "PublishSignal" => new { tenant = "acme", name = "eod", business_date = "2026-01-31", validate_only = true },
            "PublishRefresh" => new { tenant = "acme", dataset = "GDP_A", data_through = "2026-01-31T00:00:00Z", run_id = "r1", validate_only = true },
            _ => throw new InvalidOperationException($"Say what a valid request of {method.FullName} is."),
        };
        return JsonParser.Default.Parse(JsonSerializer.Serialize(about), method.InputType).ToByteArray();
    }

    private static string Unsigned(string token)
    {
        var header = Convert.ToBase64String(Encoding.UTF8.GetBytes("""{"alg":"none","typ":"at+jwt"}""")).TrimEnd('=').Replace('+', '-').Replace('/', '_');
        return $"{header}.{token.Split('.')[1]}.";
    }

    public ValueTask DisposeAsync() => Control.DisposeAsync();
}
