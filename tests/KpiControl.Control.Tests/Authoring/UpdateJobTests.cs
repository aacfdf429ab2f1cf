using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Authoring;

public sealed class UpdateJobTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private JobService.JobServiceClient Jobs => fixture.Host.Jobs();

    private Task<UpdateJobResponse> UpdateAsync(UpdateJobRequest request) => Jobs.UpdateJobAsync(request, cancellationToken: Token).ResponseAsync;

    private Task<RpcException> RefusedAsync(UpdateJobRequest request) => Refusals.OfAsync(Jobs.UpdateJobAsync(request, cancellationToken: Token));

    [Fact]
    public async Task A_schedule_tweak_stands_over_the_definition_until_the_artifact_is_put_again()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "tweaked");

        var tweaked = await UpdateAsync(new UpdateJobRequest { BindingId = bound.BindingId, ScheduleCron = "30 4 * * *", Timezone = "Europe/Berlin", Etag = bound.Etag, Reason = "later" });
        var restored = await UpdateAsync(new UpdateJobRequest { BindingId = bound.BindingId, Content = SampleTexts.Simple("tweaked") });

        Assert.Equal((bound.DefId, "r2", false, true), (tweaked.DefId, tweaked.Etag, tweaked.Rebound, tweaked.Job.ScheduleOverridden));
        Assert.True(tweaked.Job.NextRunAt.ToDateTimeOffset().Minute == 30);
        Assert.Equal((bound.DefId, "r3", false, false), (restored.DefId, restored.Etag, restored.Rebound, restored.Job.ScheduleOverridden));
        Assert.Equal("*/15 * * * *", restored.Job.ScheduleCron);
        Assert.Equal(["1 */15 * * * *", "2 30 4 * * *", "3 */15 * * * *"], await fixture.ListAsync(
            "SELECT revision || ' ' || schedule_cron FROM kpi_binding_revision WHERE binding_id = @id ORDER BY revision", new { id = bound.BindingId }));
        Assert.Equal(3, await fixture.ScalarAsync<int>("SELECT revision FROM kpi_job_runtime WHERE binding_id = @id", new { id = bound.BindingId }));
    }

    [Fact]
    public async Task Another_hash_is_a_new_definition_and_a_rebind_with_its_dependencies()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "rebound");
        var changed = SampleTexts.Simple("rebound", more: "dependencies: { signals: [eod] }\nalerts: [ { channel: \"slack:#x\", severity: low } ]\nrun: { priority: 1 }");

        var answer = await UpdateAsync(new UpdateJobRequest { BindingId = bound.BindingId, Content = changed });
        var same = await UpdateAsync(new UpdateJobRequest { BindingId = bound.BindingId, Content = changed });

        Assert.True(answer.Rebound);
        Assert.NotEqual(bound.DefId, answer.DefId);
        Assert.Equal("signal eod", Assert.Single(answer.Job.Dependencies.Select(d => $"{d.DepType} {d.DepValue}")));
        Assert.Equal("slack:#x", Assert.Single(answer.Job.Alerts).ChannelValue);
        Assert.Equal(1, await fixture.ScalarAsync<int>("SELECT priority FROM kpi_job_runtime JOIN kpi_lane USING (lane) WHERE binding_id = @id", new { id = bound.BindingId }));
        Assert.Equal((false, answer.Etag), (same.Rebound, same.Etag));
    }

    [Fact]
    public async Task Slots_that_were_due_under_the_schedule_before_get_their_disposition_and_the_new_one_fires_no_past()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "backlog");
        await Jobs.PauseJobAsync(new PauseJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);
        await fixture.RunAsync("UPDATE kpi_job_runtime SET next_run_at = date_trunc('hour', now()) - interval '2 hours' WHERE binding_id = @id", new { id = bound.BindingId });

        var edited = await UpdateAsync(new UpdateJobRequest { BindingId = bound.BindingId, ScheduleCron = "0 0 1 1 *" });

        Assert.True(edited.Job.NextRunAt.ToDateTimeOffset() > await fixture.ScalarAsync<DateTime>("SELECT now()"));
        Assert.True(edited.Job.Paused);
        Assert.Equal("skipped paused", await fixture.ScalarAsync<string>(
            "SELECT concat_ws(' ', status, reason) FROM kpi_job_history WHERE binding_id = @id AND final AND slot_count BETWEEN 9 AND 12", new { id = bound.BindingId }));
        Assert.True(await fixture.ScalarAsync<bool>("SELECT lane < 0 FROM kpi_job_runtime WHERE binding_id = @id", new { id = bound.BindingId }));
    }

    [Fact]
    public async Task An_edit_that_is_no_schedules_drops_no_slot_that_is_due()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "kept");
        await Jobs.PauseJobAsync(new PauseJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);
        await fixture.RunAsync("UPDATE kpi_job_runtime SET next_run_at = '2026-01-01T00:00Z' WHERE binding_id = @id", new { id = bound.BindingId });

        var edited = await UpdateAsync(new UpdateJobRequest { BindingId = bound.BindingId, Content = SampleTexts.Simple("kept", more: "description: other") });

        Assert.Equal(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero), edited.Job.NextRunAt.ToDateTimeOffset());
    }

    [Fact]
    public async Task Inactive_is_not_scheduled_at_all_and_active_again_begins_now()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "off");

        var off = await UpdateAsync(new UpdateJobRequest { BindingId = bound.BindingId, ActiveFlag = false });
        var offLane = await fixture.ScalarAsync<short>("SELECT lane FROM kpi_job_runtime WHERE binding_id = @id", new { id = bound.BindingId });
        var trigger = await Refusals.OfAsync(Jobs.TriggerJobAsync(new TriggerJobRequest { BindingId = bound.BindingId }, cancellationToken: Token));
        var on = await UpdateAsync(new UpdateJobRequest { BindingId = bound.BindingId, ActiveFlag = true });

        Assert.Null(off.Job.NextRunAt);
        Assert.True(offLane < 0);
        Assert.Equal((StatusCode.FailedPrecondition, "INACTIVE"), (trigger.StatusCode, trigger.Info().Reason));
        Assert.NotNull(on.Job.NextRunAt);
        Assert.True(await fixture.ScalarAsync<short>("SELECT lane FROM kpi_job_runtime WHERE binding_id = @id", new { id = bound.BindingId }) > 0);
    }

    [Fact]
    public async Task A_stale_etag_is_aborted_in_every_spelling_and_only_one_of_two_racing_edits_wins()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "stale");
        UpdateJobRequest Edit(string cron, string etag) => new() { BindingId = bound.BindingId, ScheduleCron = cron, Etag = etag };

        var racing = await Task.WhenAll(new[] { "1 1 * * *", "2 1 * * *", "3 1 * * *" }.Select(async cron =>
        {
            try
            {
                await fixture.Host.Jobs().UpdateJobAsync(Edit(cron, "W/\"r1\""), cancellationToken: Token);
                return "won";
            }
            catch (RpcException lost)
            {
                return $"{lost.StatusCode} {lost.Info().Reason}";
            }
        }));

        Assert.Equal(["Aborted ETAG_MISMATCH", "Aborted ETAG_MISMATCH", "won"], racing.Order());
    }

    [Theory]
    [InlineData("61 * * * *", "", "schedule_cron")]
    [InlineData("0 0 30 2 *", "", "schedule_cron")]
    [InlineData("0 0 * * *", "Mars/Olympus", "timezone")]
    public async Task A_bad_schedule_names_its_field_and_changes_nothing(string cron, string zone, string field)
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "badly");
        var before = await fixture.FootprintAsync();
        var request = new UpdateJobRequest { BindingId = bound.BindingId, ScheduleCron = cron };
        if (zone.Length > 0)
            request.Timezone = zone;

        var refused = await RefusedAsync(request);

        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        Assert.Contains(refused.Violations(), v => v.Field == field);
        Assert.Equal(before, await fixture.FootprintAsync());
    }

    [Fact]
    public async Task An_artifact_together_with_fields_nothing_at_all_or_another_job_is_refused()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "confused");

        var both = await RefusedAsync(new UpdateJobRequest { BindingId = bound.BindingId, Content = SampleTexts.Simple("confused"), ActiveFlag = false });
        var nothing = await RefusedAsync(new UpdateJobRequest { BindingId = bound.BindingId });
        var other = await RefusedAsync(new UpdateJobRequest { BindingId = bound.BindingId, Content = SampleTexts.Simple("another") });

        Assert.All(new[] { both, nothing, other }, refused => Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode));
        Assert.Equal("/job_id", Assert.Single(other.Violations()).Field);
    }

    [Fact]
    public async Task Where_policy_asks_for_approval_fields_are_refused_and_a_pause_is_no_change()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "governed");
        await fixture.RunAsync("INSERT INTO kpi_tenant_policy (tenant_id, environment, version, document) VALUES ('acme', 'dev', 99, '{\"requires_approval\": true}')");
        try
        {
            var before = await fixture.FootprintAsync();
            var fields = await RefusedAsync(new UpdateJobRequest { BindingId = bound.BindingId, ScheduleCron = "1 1 * * *" });

            Assert.Equal("APPROVAL_REQUIRED", fields.Info().Reason);
            Assert.Equal(before, await fixture.FootprintAsync());
            Assert.True((await UpdateAsync(new UpdateJobRequest { BindingId = bound.BindingId, PausedUntil = "infinity" })).Job.Paused);
        }
        finally
        {
            await fixture.RunAsync("INSERT INTO kpi_tenant_policy (tenant_id, environment, version, document) VALUES ('acme', 'dev', 100, '{\"requires_approval\": false}')");
        }
    }

    [Fact]
    public async Task An_author_may_edit_and_not_move_the_schedule()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "authored");
        var author = fixture.Host.Jobs(fixture.Issuer.Token("author"));

        var denied = await Refusals.OfAsync(author.UpdateJobAsync(new UpdateJobRequest { BindingId = bound.BindingId, ScheduleCron = "1 1 * * *" }, cancellationToken: Token));
        var foreign = await Refusals.OfAsync(fixture.Host.Jobs(fixture.Issuer.Token("other-tenant"))
            .UpdateJobAsync(new UpdateJobRequest { BindingId = bound.BindingId, ActiveFlag = false }, cancellationToken: Token));
        var absent = await RefusedAsync(new UpdateJobRequest { BindingId = 987654321, ActiveFlag = false });

        Assert.Equal((StatusCode.PermissionDenied, "ScheduleEdit"), (denied.StatusCode, denied.Info().Metadata["verb"]));
        Assert.Equal((StatusCode.NotFound, StatusCode.NotFound), (foreign.StatusCode, absent.StatusCode));
        Assert.Equal(absent.Status.Detail.Replace("987654321", $"{bound.BindingId}"), foreign.Status.Detail);
    }
}
