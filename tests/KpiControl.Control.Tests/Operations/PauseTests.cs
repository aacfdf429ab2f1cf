using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Control.Database;
using KpiControl.Control.Operations;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;
using KpiControl.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace KpiControl.Control.Tests.Operations;

public sealed class PauseTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private JobService.JobServiceClient Jobs => fixture.Host.Jobs();

    [Fact]
    public async Task An_empty_pause_lasts_until_resumed_keeps_the_cursor_and_is_audited()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "pausing");

        var paused = await Jobs.PauseJobAsync(new PauseJobRequest { BindingId = bound.BindingId, Reason = "month end" }, cancellationToken: Token);
        var lane = await fixture.ScalarAsync<short>("SELECT lane FROM kpi_job_runtime WHERE binding_id = @id", new { id = bound.BindingId });
        var resumed = await Jobs.ResumeJobAsync(new ResumeJobRequest { BindingId = bound.BindingId, Reason = "done" }, cancellationToken: Token);

        Assert.Equal((true, null, "month end"), (paused.Paused, (Timestamp?)paused.PausedUntil, paused.PauseReason));
        Assert.True(lane < 0);
        Assert.Equal(bound.NextRunAt, paused.NextRunAt);
        Assert.False(resumed.Paused);
        Assert.Equal(-lane, await fixture.ScalarAsync<short>("SELECT lane FROM kpi_job_runtime WHERE binding_id = @id", new { id = bound.BindingId }));
        Assert.Equal(["Pause month end", "Resume done"], await fixture.ListAsync(
            "SELECT verb || ' ' || reason FROM kpi_audit WHERE object_id = @id AND verb IN ('Pause', 'Resume') ORDER BY audit_id", new { id = $"{bound.BindingId}" }));
        Assert.Equal(1, await fixture.ScalarAsync<long>("SELECT count(*) FROM kpi_pause JOIN kpi_pause_end USING (pause_id) WHERE binding_id = @id", new { id = bound.BindingId }));
    }

    [Fact]
    public async Task Pausing_the_paused_moves_the_end_and_resuming_the_running_is_refused()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "moving");
        var until = Timestamp.FromDateTimeOffset(new DateTimeOffset(2099, 1, 1, 0, 0, 0, TimeSpan.Zero));

        var never = await Refusals.OfAsync(Jobs.ResumeJobAsync(new ResumeJobRequest { BindingId = bound.BindingId }, cancellationToken: Token));
        await Jobs.PauseJobAsync(new PauseJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);
        var moved = await Jobs.PauseJobAsync(new PauseJobRequest { BindingId = bound.BindingId, PausedUntil = until }, cancellationToken: Token);
        var past = await Refusals.OfAsync(Jobs.PauseJobAsync(new PauseJobRequest { BindingId = bound.BindingId, PausedUntil = new Timestamp { Seconds = 1 } }, cancellationToken: Token));

        Assert.Equal((StatusCode.FailedPrecondition, "NOT_PAUSED"), (never.StatusCode, never.Info().Reason));
        Assert.Equal(until, moved.PausedUntil);
        Assert.Equal("paused_until", Assert.Single(past.Violations()).Field);
        Assert.Equal(["infinity moved", "2099-01-01"], await fixture.ListAsync(
            "SELECT concat_ws(' ', CASE WHEN isfinite(paused_until) THEN to_char(paused_until AT TIME ZONE 'UTC', 'YYYY-MM-DD') ELSE 'infinity' END, e.reason) FROM kpi_pause LEFT JOIN kpi_pause_end e USING (pause_id) WHERE binding_id = @id ORDER BY pause_id",
            new { id = bound.BindingId }));
    }

    [Fact]
    public async Task An_expired_pause_resumes_by_itself_and_is_audited_once_however_many_nodes_race()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "expiring");
        await Jobs.PauseJobAsync(new PauseJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);
        await RunOutAsync(bound.BindingId);

        var store = new ExpiryStore(fixture.Host.Services.GetRequiredService<Databases>());
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => store.ExpireAsync(Token)));

        Assert.True(await fixture.ScalarAsync<bool>("SELECT paused_until IS NULL AND lane > 0 FROM kpi_job_runtime WHERE binding_id = @id", new { id = bound.BindingId }));
        Assert.Equal("system t", await fixture.ScalarAsync<string>(
            "SELECT concat_ws(' ', ended_by, CASE WHEN ended_at = paused_until THEN 't' END) FROM kpi_pause JOIN kpi_pause_end USING (pause_id) WHERE binding_id = @id", new { id = bound.BindingId }));
        Assert.Equal(1, await fixture.ScalarAsync<long>("SELECT count(*) FROM kpi_audit WHERE object_id = @id AND actor = 'system'", new { id = $"{bound.BindingId}" }));
    }

    [Fact]
    public async Task A_pause_that_ran_out_and_is_followed_by_another_before_anybody_noticed_is_audited_once()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "followed");
        await Jobs.PauseJobAsync(new PauseJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);
        await RunOutAsync(bound.BindingId);

        await Jobs.PauseJobAsync(new PauseJobRequest { BindingId = bound.BindingId, Reason = "again" }, cancellationToken: Token);
        await new ExpiryStore(fixture.Host.Services.GetRequiredService<Databases>()).ExpireAsync(Token);

        Assert.Equal(["Pause admin@acme.example ", "Resume system expired", "Pause admin@acme.example again"], await fixture.ListAsync(
            "SELECT concat_ws(' ', verb, actor, reason) FROM kpi_audit WHERE object_id = @id AND verb IN ('Pause', 'Resume') ORDER BY audit_id", new { id = $"{bound.BindingId}" }));
        Assert.Equal(0, await fixture.ScalarAsync<long>(
            "SELECT count(*) FROM kpi_audit a WHERE object_id = @id AND NOT EXISTS (SELECT FROM kpi_chained c WHERE c.kind = 'a' AND c.id = a.audit_id)", new { id = $"{bound.BindingId}" }));
    }

    [Fact]
    public async Task A_resume_that_began_before_the_pause_and_waited_for_it_does_not_end_it_before_it_began()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "waited");
        var admin = new Caller("admin@acme.example", [new Grant("acme", "*", "admin")]);
        await using var earlier = await RequestTransaction.BeginAsync(fixture.Host.Services.GetRequiredService<Databases>(), admin, Token);
        await Jobs.PauseJobAsync(new PauseJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);

        Assert.NotNull(await PauseStore.ResumeAsync(earlier, bound.BindingId, "late"));
        await earlier.CommitAsync();

        Assert.True(await fixture.ScalarAsync<bool>("SELECT ended_at >= paused_at FROM kpi_pause JOIN kpi_pause_end USING (pause_id) WHERE binding_id = @id", new { id = bound.BindingId }));
    }

    [Fact]
    public async Task The_operator_pauses_in_any_tenant_and_another_tenant_cannot()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "operated");

        var paused = await fixture.Host.Jobs(fixture.Issuer.Token("operator")).PauseJobAsync(new PauseJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);
        var foreign = await Refusals.OfAsync(fixture.Host.Jobs(fixture.Issuer.Token("other-tenant"))
            .ResumeJobAsync(new ResumeJobRequest { BindingId = bound.BindingId }, cancellationToken: Token));

        Assert.True(paused.Paused);
        Assert.Equal(StatusCode.NotFound, foreign.StatusCode);
    }

    // The pause ran out while every node was down: its rows say so, whenever they are looked at.
    private Task RunOutAsync(long bindingId) => fixture.RunAsync("""
        ALTER TABLE kpi_pause DISABLE TRIGGER append_only;
        UPDATE kpi_pause SET paused_at = now() - interval '2 minutes', paused_until = now() - interval '1 minute' WHERE binding_id = @bindingId;
        ALTER TABLE kpi_pause ENABLE TRIGGER append_only;
        UPDATE kpi_job_runtime SET paused_until = (SELECT max(paused_until) FROM kpi_pause WHERE binding_id = @bindingId) WHERE binding_id = @bindingId
        """, new { bindingId });
}
