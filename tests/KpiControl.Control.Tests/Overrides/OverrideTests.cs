using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Control.Database;
using KpiControl.Control.Overrides;
using KpiControl.Protocol.V1;
using KpiControl.Testing;
using Microsoft.Extensions.DependencyInjection;
using DriftService = KpiControl.Protocol.V1.DriftService;

namespace KpiControl.Control.Tests.Overrides;

/// <summary>What stands over a definition: set, seen, ended, and what it is to those who apply another definition.</summary>
public sealed class OverrideTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    // Has no slot before it runs out; on the eve of whichever day is named it would have one.
    private const string Yearly = "yearly";
    private const string Alerting = "alerts: [ { channel: \"slack:#kpi-alerts\", severity: low, on: [failure] }, { channel: \"email:a@example.com\", severity: high, on: [skipped] } ]";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private DriftService.DriftServiceClient Drift => new(fixture.Host.Channel());

    private JobService.JobServiceClient Jobs => fixture.Host.Jobs();

    private OverrideExpiryStore Expiry => new(fixture.Host.Services.GetRequiredService<Databases>());

    [Fact]
    public async Task A_schedule_stands_until_it_runs_out_is_seen_everywhere_and_is_cleared()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "rescheduled", "0 2 * * *");

        var set = await SetAsync(bound.BindingId, "schedule", "30 * * * *", "late data");
        var job = await Jobs.GetJobAsync(new GetJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);
        var listed = Assert.Single((await Drift.ListOverridesAsync(new ListOverridesRequest { BindingId = bound.BindingId }, cancellationToken: Token)).Overrides);
        var preview = await Jobs.PreviewScheduleAsync(new PreviewScheduleRequest { BindingId = bound.BindingId, Count = 100 }, cancellationToken: Token);
        var cleared = await Drift.ClearOverrideAsync(new ClearOverrideRequest { BindingId = bound.BindingId, Kind = "schedule", Reason = "data is here" }, cancellationToken: Token);
        var after = await Jobs.GetJobAsync(new GetJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);

        Assert.Equal(set, listed);
        Assert.Equal(set, Assert.Single(job.Overrides));
        Assert.Equal(("schedule", "30 * * * *", "late data", "admin@acme.example", ""), (set.Kind, set.Value, set.Reason, set.CreatedBy, set.Ending));
        Assert.Equal((bound.ContentHash, "30 * * * *", true, "r2"), (job.ContentHash, job.ScheduleCron, job.ScheduleOverridden, job.Etag));
        Assert.Equal(30, job.NextRunAt.ToDateTime().Minute);
        // Hourly until it runs out, daily at two from then on: nobody has to be there.
        var until = set.ExpiresAt.ToDateTime();
        Assert.All(preview.FireTimes, time => Assert.Equal(time.At.ToDateTime() < until ? (-1, 30) : (2, 0), (time.At.ToDateTime() < until ? -1 : time.At.ToDateTime().Hour, time.At.ToDateTime().Minute)));
        Assert.Contains(preview.FireTimes, time => time.At.ToDateTime() > until);
        Assert.Equal(("cleared", "admin@acme.example", "data is here"), (cleared.Ending, cleared.EndedBy, cleared.EndReason));
        Assert.Equal(("0 2 * * *", false, bound.NextRunAt), (after.ScheduleCron, after.ScheduleOverridden, after.NextRunAt));
        Assert.Empty(after.Overrides);
        Assert.Equal(["ScheduleEdit admin@acme.example late data", "ScheduleEdit admin@acme.example data is here"], await AuditAsync(bound.BindingId));
        Assert.Equal(["30 * * * * of r2", "none of r3"], await fixture.ListAsync(
            "SELECT coalesce(after -> 'overrides' -> 0 ->> 'value', 'none') || ' of r' || (after ->> 'revision') FROM kpi_audit WHERE object_id = @id AND verb = 'ScheduleEdit' ORDER BY audit_id", new { id = $"{bound.BindingId}" }));
    }

    [Fact]
    public async Task Another_of_the_kind_replaces_it_and_kinds_stand_beside_each_other()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "replaced");

        await SetAsync(bound.BindingId, "priority", "1", "first");
        await SetAsync(bound.BindingId, "timeout", "PT30M", "slow");
        await SetAsync(bound.BindingId, "priority", "5", "second");

        var all = (await Drift.ListOverridesAsync(new ListOverridesRequest { BindingId = bound.BindingId, IncludeEnded = true }, cancellationToken: Token)).Overrides;
        Assert.Equal(["priority 5 ", "timeout 30m ", "priority 1 replaced"], all.Select(one => $"{one.Kind} {one.Value} {one.Ending}"));
        Assert.Equal(5, await PriorityAsync(bound.BindingId));
        var page = await Drift.ListOverridesAsync(new ListOverridesRequest { BindingId = bound.BindingId, IncludeEnded = true, PageSize = 2 }, cancellationToken: Token);
        var rest = await Drift.ListOverridesAsync(new ListOverridesRequest { BindingId = bound.BindingId, IncludeEnded = true, PageSize = 2, PageToken = page.NextPageToken }, cancellationToken: Token);
        Assert.Equal(all, page.Overrides.Concat(rest.Overrides));
    }

    [Fact]
    public async Task A_pause_is_one_of_them_and_kept_as_a_pause()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "paused_by_override");

        var set = await SetAsync(bound.BindingId, "pause", "", "month end");
        var job = await Jobs.GetJobAsync(new GetJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);
        await Jobs.ResumeJobAsync(new ResumeJobRequest { BindingId = bound.BindingId, Reason = "done" }, cancellationToken: Token);
        await Jobs.PauseJobAsync(new PauseJobRequest { BindingId = bound.BindingId, Reason = "for good" }, cancellationToken: Token);
        var all = (await Drift.ListOverridesAsync(new ListOverridesRequest { BindingId = bound.BindingId, IncludeEnded = true }, cancellationToken: Token)).Overrides;

        Assert.True(job.Paused);
        Assert.Equal((set.ExpiresAt, "month end"), (job.PausedUntil, job.PauseReason));
        Assert.Equal([("for good", "", (Timestamp?)null), ("month end", "cleared", set.ExpiresAt)], all.Select(one => (one.Reason, one.Ending, (Timestamp?)one.ExpiresAt)));
        Assert.Equal("", (await Drift.ClearOverrideAsync(new ClearOverrideRequest { BindingId = bound.BindingId, Kind = "pause" }, cancellationToken: Token)).Value);
    }

    [Theory]
    [InlineData("schedule", "30 2 30 2 *", 1, "r", "value")]
    [InlineData("schedule", "every day", 1, "r", "value")]
    [InlineData("schedule", Yearly, 1, "r", "value")]
    [InlineData("schedule", "*/15 * * * *", 1, "r", "value")]
    [InlineData("priority", "6", 1, "r", "value")]
    [InlineData("priority", "0", 1, "r", "value")]
    [InlineData("priority", "high", 1, "r", "value")]
    [InlineData("priority", "", 1, "r", "value")]
    [InlineData("timeout", "25h", 1, "r", "value")]
    [InlineData("timeout", "soon", 1, "r", "value")]
    [InlineData("alert_route", "pigeon:coop", 1, "r", "value")]
    [InlineData("pause", "1", 1, "r", "value")]
    [InlineData("owner", "me", 1, "r", "kind")]
    [InlineData("", "me", 1, "r", "kind")]
    [InlineData("priority", "1", 1, "", "reason")]
    [InlineData("priority", "1", 0, "r", "expires_at")]
    [InlineData("priority", "1", -1, "r", "expires_at")]
    [InlineData("priority", "1", 91, "r", "expires_at")]
    [InlineData("pause", "", 0, "r", "expires_at")]
    public async Task What_cannot_stand_is_refused_by_field_and_changes_nothing(string kind, string value, int days, string reason, string field)
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "refused", more: Alerting);
        var before = await fixture.FootprintAsync();

        var refused = await Refusals.OfAsync(Drift.SetOverrideAsync(new SetOverrideRequest
        {
            BindingId = bound.BindingId, Kind = kind, Value = value == Yearly ? ByTheClock.Yearly : value, Reason = reason, ExpiresAt = days == 0 ? null : In(TimeSpan.FromDays(days)),
        }, cancellationToken: Token));

        Assert.Equal((StatusCode.InvalidArgument, field), (refused.StatusCode, refused.Violations()[0].Field));
        Assert.Equal(before, await fixture.FootprintAsync());
    }

    [Fact]
    public async Task What_the_job_cannot_have_is_refused()
    {
        var manual = await fixture.Host.CreateSimpleAsync(Token, "by_hand", more: "");
        await Jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = manual.BindingId, Content = SampleTexts.Simple("by_hand").Replace("type: cron, expression: \"*/15 * * * *\", timezone: UTC", "type: manual, timezone: UTC", StringComparison.Ordinal) }, cancellationToken: Token);

        var schedule = await Refusals.OfAsync(Drift.SetOverrideAsync(Asked(manual.BindingId, "schedule", "0 1 * * *"), cancellationToken: Token));
        var route = await Refusals.OfAsync(Drift.SetOverrideAsync(Asked(manual.BindingId, "alert_route", "slack:#x"), cancellationToken: Token));
        var none = await Refusals.OfAsync(Drift.ClearOverrideAsync(new ClearOverrideRequest { BindingId = manual.BindingId, Kind = "timeout" }, cancellationToken: Token));
        await Jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = manual.BindingId, ActiveFlag = false }, cancellationToken: Token);
        var inactive = await Refusals.OfAsync(Drift.SetOverrideAsync(Asked(manual.BindingId, "priority", "1"), cancellationToken: Token));

        Assert.Equal(["kind", "kind"], new[] { schedule, route }.Select(refused => refused.Violations()[0].Field));
        Assert.Equal(["NOT_OVERRIDDEN", "INACTIVE"], new[] { none, inactive }.Select(refused => refused.Info().Reason));
    }

    [Fact]
    public async Task Applying_what_is_bound_keeps_it_and_another_definition_keeps_it_too_but_for_what_it_says_itself()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "kept");
        await SetAsync(bound.BindingId, "schedule", "7 * * * *", "s");
        await SetAsync(bound.BindingId, "timeout", "2h", "t");
        await SetAsync(bound.BindingId, "priority", "1", "p");
        var changed = SampleTexts.Simple("kept", "0 4 * * *", "timeout: 2h");

        var plans = new ChangeService.ChangeServiceClient(fixture.Host.Channel());
        var same = Assert.Single((await plans.PlanJobsAsync(new PlanJobsRequest { Artifacts = { new PlanArtifact { Content = SampleTexts.Simple("kept") } } }, cancellationToken: Token)).Jobs);
        var other = Assert.Single((await plans.PlanJobsAsync(new PlanJobsRequest { Artifacts = { new PlanArtifact { Content = changed } } }, cancellationToken: Token)).Jobs);
        await Jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = bound.BindingId, Content = SampleTexts.Simple("kept") }, cancellationToken: Token);
        var untouched = await Jobs.GetJobAsync(new GetJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);
        await Jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = bound.BindingId, Content = changed }, cancellationToken: Token);
        var rebound = await Jobs.GetJobAsync(new GetJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);

        Assert.Equal("unchanged", same.Action);
        Assert.Equal(3, same.Notes.Count(note => note.Contains("stays so until then", StringComparison.Ordinal)));
        Assert.Contains("the override of its timeout (2h) ends: the definition says the same now", other.Notes);
        // Nothing fires otherwise before the override runs out.
        Assert.DoesNotContain(other.FireTimes, time => (time.Before ?? time.After).ToDateTime() < untouched.Overrides[0].ExpiresAt.ToDateTime() && time.Kind != "stays");
        Assert.Equal(("r4", 3), (untouched.Etag, untouched.Overrides.Count));
        Assert.Equal(("7 * * * *", "r5"), (rebound.ScheduleCron, rebound.Etag));
        Assert.Equal(["priority", "schedule"], rebound.Overrides.Select(one => one.Kind));
        Assert.Equal(1, await PriorityAsync(bound.BindingId));
        Assert.Equal("reconciled", (await Drift.ListOverridesAsync(new ListOverridesRequest { BindingId = bound.BindingId, Kind = "timeout", IncludeEnded = true }, cancellationToken: Token)).Overrides[0].Ending);
        Assert.Contains("ScheduleEdit admin@acme.example the definition says the same now", await AuditAsync(bound.BindingId));
    }

    [Fact]
    public async Task What_ran_out_while_every_node_was_down_is_over_at_once_and_written_down_once_however_many_nodes_race()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "ran_out", more: Alerting);
        foreach (var (kind, value) in new[] { ("schedule", "7 * * * *"), ("priority", "1"), ("timeout", "2h"), ("alert_route", "slack:#night") })
            await SetAsync(bound.BindingId, kind, value, kind);
        await RunOutAsync(bound.BindingId);

        var before = await Jobs.GetJobAsync(new GetJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Expiry.ExpireAsync(Token)));
        await PatientlyAsync("SELECT count(*) = 4 FROM kpi_override WHERE binding_id = @id AND ending = 'expired' AND ended_at = expires_at AND ended_by = 'system'", bound.BindingId);
        var after = await Jobs.GetJobAsync(new GetJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);

        Assert.Equal(("*/15 * * * *", false), (before.ScheduleCron, before.ScheduleOverridden));
        Assert.Empty(before.Overrides);
        Assert.Equal(["email:a@example.com", "slack:#kpi-alerts"], before.Alerts.Select(alert => alert.ChannelValue));
        Assert.Equal(3, await PriorityAsync(bound.BindingId));
        // Time alone is no change of what is bound: what somebody looked at still stands.
        Assert.Equal(before.Etag, after.Etag);
        Assert.Equal(4, await fixture.ScalarAsync<long>("SELECT count(*) FROM kpi_audit WHERE object_id = @id AND actor = 'system' AND reason = 'expired'", new { id = $"{bound.BindingId}" }));
    }

    [Fact]
    public async Task Of_those_who_set_and_clear_at_once_each_is_wholly_before_or_after_the_other()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "raced");

        await Task.WhenAll(Enumerable.Range(0, 12).Select(async i =>
        {
            if (i % 3 != 0)
                await SetAsync(bound.BindingId, "priority", i % 2 == 0 ? "1" : "2", $"{i}");
            else
                try
                {
                    await Drift.ClearOverrideAsync(new ClearOverrideRequest { BindingId = bound.BindingId, Kind = "priority" }, cancellationToken: Token);
                }
                catch (RpcException nothingStood) when (nothingStood.StatusCode == StatusCode.FailedPrecondition)
                {
                }
        }));

        var standing = (await Drift.ListOverridesAsync(new ListOverridesRequest { BindingId = bound.BindingId }, cancellationToken: Token)).Overrides;
        Assert.True(standing.Count <= 1);
        Assert.Equal(standing.Count == 1 ? int.Parse(standing[0].Value) : 3, await PriorityAsync(bound.BindingId));
        Assert.True(await fixture.ScalarAsync<bool>(
            "SELECT b.revision = rt.revision AND b.overrides IS NOT DISTINCT FROM r.overrides FROM kpi_job_binding b JOIN kpi_job_runtime rt USING (binding_id) JOIN kpi_binding_revision r ON r.binding_id = b.binding_id AND r.revision = b.revision WHERE b.binding_id = @id",
            new { id = bound.BindingId }));
    }

    [Fact]
    public async Task Alerts_go_the_other_way_until_it_runs_out()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "rerouted", more: Alerting);
        await SetAsync(bound.BindingId, "alert_route", "slack:#night-shift", "on call");

        await FailAsync(bound.BindingId);
        await PatientlyAsync("SELECT count(*) = 1 FROM kpi_alert_message WHERE binding_id = @id", bound.BindingId);
        var job = await Jobs.GetJobAsync(new GetJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);
        await RunOutAsync(bound.BindingId);
        await fixture.RunAsync("UPDATE kpi_alert_message SET created_at = now() - interval '1 hour' WHERE binding_id = @id", new { id = bound.BindingId });
        await FailAsync(bound.BindingId);
        await PatientlyAsync("SELECT count(*) = 2 FROM kpi_alert_message WHERE binding_id = @id", bound.BindingId);

        // Before another test looks whether anything is written.
        await PatientlyAsync("SELECT ending = 'expired' FROM kpi_override WHERE binding_id = @id", bound.BindingId);
        Assert.Equal(("slack", "slack:#night-shift", "high"), Assert.Single(job.Alerts) is var alert ? (alert.ChannelType, alert.ChannelValue, alert.Severity) : default);
        Assert.Equal(["slack:#night-shift", "slack:#kpi-alerts"], await fixture.ListAsync("SELECT channel_value FROM kpi_alert_message WHERE binding_id = @id ORDER BY message_id", new { id = bound.BindingId }));
    }

    [Fact]
    public async Task Who_heard_of_a_failure_by_an_override_hears_of_its_end_though_the_override_is_over()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "recovers", more: "alerts: [ { channel: \"email:a@example.com\", severity: high } ]");
        await SetAsync(bound.BindingId, "alert_route", "slack:#night-shift", "on call");
        await FailAsync(bound.BindingId);
        await PatientlyAsync("SELECT count(*) = 1 FROM kpi_alert_message WHERE binding_id = @id", bound.BindingId);
        await RunOutAsync(bound.BindingId);

        await fixture.RunAsync("UPDATE kpi_job_runtime SET last_status = 'success', last_run_at = now() WHERE binding_id = @id", new { id = bound.BindingId });
        await PatientlyAsync("SELECT count(*) = 2 FROM kpi_alert_message WHERE binding_id = @id", bound.BindingId);
        // There was no such run, and every last run has its history.
        await fixture.RunAsync("UPDATE kpi_job_runtime SET last_status = NULL, last_run_at = NULL WHERE binding_id = @id", new { id = bound.BindingId });

        Assert.Equal(["failure slack:#night-shift high", "recovered slack:#night-shift high"],
            await fixture.ListAsync("SELECT concat_ws(' ', event, channel_value, severity) FROM kpi_alert_message WHERE binding_id = @id ORDER BY message_id", new { id = bound.BindingId }));
        await PatientlyAsync("SELECT ending = 'expired' FROM kpi_override WHERE binding_id = @id", bound.BindingId);
    }

    [Fact]
    public async Task Where_changes_need_approval_an_override_does_not_and_a_freeze_holds_back_schedules_alone()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "frozen");
        var tenants = new TenantService.TenantServiceClient(fixture.Host.Channel());
        await tenants.PutPolicyAsync(new PutPolicyRequest
        {
            Tenant = "acme", Environment = "dev", RequiresApproval = true,
            Freezes = new Freezes { Freezes_ = { new Freeze { From = In(TimeSpan.FromHours(-1)), Until = In(TimeSpan.FromHours(1)), Reason = "close" } } },
        }, cancellationToken: Token);
        try
        {
            var schedule = await Refusals.OfAsync(Drift.SetOverrideAsync(Asked(bound.BindingId, "schedule", "0 1 * * *"), cancellationToken: Token));
            Assert.Equal(StatusCode.FailedPrecondition, schedule.StatusCode);
            await SetAsync(bound.BindingId, "priority", "1", "urgent");
            Assert.Equal(1, await PriorityAsync(bound.BindingId));
        }
        finally
        {
            await tenants.PutPolicyAsync(new PutPolicyRequest { Tenant = "acme", Environment = "dev", RequiresApproval = false, Freezes = new Freezes() }, cancellationToken: Token);
        }
    }

    [Fact]
    public async Task Another_tenant_sees_none_of_it()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "isolated");
        await SetAsync(bound.BindingId, "timeout", "2h", "ours");
        var other = new DriftService.DriftServiceClient(fixture.Host.Channel(fixture.Issuer.Token("other-tenant")));

        var set = await Refusals.OfAsync(other.SetOverrideAsync(Asked(bound.BindingId, "timeout", "3h"), cancellationToken: Token));

        Assert.Equal(StatusCode.NotFound, set.StatusCode);
        Assert.Empty((await other.ListOverridesAsync(new ListOverridesRequest { IncludeEnded = true }, cancellationToken: Token)).Overrides);
    }

    [Fact]
    public async Task A_put_of_a_schedule_with_an_end_is_an_override_and_without_is_none()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "by_put");

        var put = await Jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = bound.BindingId, ScheduleCron = "7 * * * *", ExpiresAt = In(TimeSpan.FromDays(1)), Reason = "late" }, cancellationToken: Token);
        var alone = await Refusals.OfAsync(Jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = bound.BindingId, Timezone = "Europe/Berlin", ExpiresAt = In(TimeSpan.FromDays(1)), Reason = "late" }, cancellationToken: Token));

        Assert.Equal(("7 * * * *", true), (put.Job.ScheduleCron, put.Job.ScheduleOverridden));
        Assert.Equal(("schedule", "late"), Assert.Single(put.Job.Overrides) is var set ? (set.Kind, set.Reason) : default);
        Assert.Equal("expires_at", Assert.Single(alone.Violations()).Field);
        Assert.Equal("unchanged", Assert.Single((await new ChangeService.ChangeServiceClient(fixture.Host.Channel()).PlanJobsAsync(
            new PlanJobsRequest { Artifacts = { new PlanArtifact { Content = SampleTexts.Simple("by_put") } } }, cancellationToken: Token)).Jobs).Action);
    }

    [Fact]
    public async Task Whoever_watches_sees_it_come()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "watched");
        using var watch = Jobs.WatchJobs(new WatchJobsRequest { BindingId = bound.BindingId }, cancellationToken: Token);

        await SetAsync(bound.BindingId, "priority", "1", "urgent");

        while (await watch.ResponseStream.MoveNext(Token))
            if (watch.ResponseStream.Current.Job is { Overrides.Count: > 0 } seen)
            {
                Assert.Equal(("priority", "1", "urgent", "watched"), Assert.Single(seen.Overrides) is var one ? (one.Kind, one.Value, one.Reason, one.JobId) : default);
                break;
            }
    }

    [Fact]
    public async Task An_explanation_tells_what_stood()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "explained");
        await SetAsync(bound.BindingId, "priority", "1", "the board waits");

        var told = await Jobs.ExplainOccurrenceAsync(new ExplainOccurrenceRequest { BindingId = bound.BindingId }, cancellationToken: Token);

        Assert.Contains(told.Facts, fact => fact.Kind == "override" && fact.Text.Contains("priority was overridden (1) by admin@acme.example", StringComparison.Ordinal) && fact.Text.EndsWith(": the board waits.", StringComparison.Ordinal));
    }

    private async Task<Override> SetAsync(long bindingId, string kind, string value, string reason)
    {
        var asked = Asked(bindingId, kind, value);
        asked.Reason = reason;
        return await Drift.SetOverrideAsync(asked, cancellationToken: Token);
    }

    private static SetOverrideRequest Asked(long bindingId, string kind, string value) =>
        new() { BindingId = bindingId, Kind = kind, Value = value, Reason = "asked", ExpiresAt = In(TimeSpan.FromDays(3)) };

    private static Timestamp In(TimeSpan time) => Timestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow() + time);

    private Task<short> PriorityAsync(long bindingId) =>
        fixture.ScalarAsync<short>("SELECT l.priority FROM kpi_job_runtime rt JOIN kpi_lane l ON l.lane = abs(rt.lane) WHERE binding_id = @bindingId", new { bindingId });

    private Task<IReadOnlyList<string>> AuditAsync(long bindingId) => fixture.ListAsync(
        "SELECT concat_ws(' ', verb, actor, reason) FROM kpi_audit WHERE object_id = @id AND verb = 'ScheduleEdit' ORDER BY audit_id", new { id = $"{bindingId}" });

    private Task FailAsync(long bindingId) => fixture.RunAsync(
        "INSERT INTO kpi_run_notice (tenant_id, binding_id, run_id, kind) VALUES ('acme', @bindingId, nextval('kpi_fence'), 'failure')", new { bindingId });

    private async Task PatientlyAsync(string condition, long id)
    {
        await using var connection = await fixture.Database.OpenAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (!await Dapper.SqlMapper.QuerySingleAsync<bool>(connection, $"SELECT coalesce(({condition}), false) FROM (SELECT pg_sleep(0.02)) AS pause", new { id }))
            limit.Token.ThrowIfCancellationRequested();
    }

    // They ran out while every node was down: all rows say so, whenever they are looked at.
    private Task RunOutAsync(long id) => fixture.RunAsync("""
        ALTER TABLE kpi_override DISABLE TRIGGER ends;
        ALTER TABLE kpi_binding_revision DISABLE TRIGGER append_only;
        UPDATE kpi_override SET created_at = now() - interval '2 hours', expires_at = now() - interval '1 minute' WHERE binding_id = @id AND ended_at IS NULL;
        UPDATE kpi_job_binding b SET overrides = (SELECT jsonb_agg(o || jsonb_build_object('expires_at', now() - interval '1 minute')) FROM jsonb_array_elements(b.overrides) AS o) WHERE binding_id = @id;
        UPDATE kpi_binding_revision r SET overrides = b.overrides FROM kpi_job_binding b WHERE b.binding_id = r.binding_id AND b.revision = r.revision AND b.binding_id = @id;
        ALTER TABLE kpi_binding_revision ENABLE TRIGGER append_only;
        ALTER TABLE kpi_override ENABLE TRIGGER ends
        """, new { id });
}
