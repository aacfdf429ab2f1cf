using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;
using DriftService = KpiControl.Protocol.V1.DriftService;

namespace KpiControl.Control.Tests.Overrides;

/// <summary>A schedule that an edit put over the definition's without an end, and who edits beside an override.</summary>
public sealed class TweakTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private DriftService.DriftServiceClient Drift => new(fixture.Host.Channel());

    private JobService.JobServiceClient Jobs => fixture.Host.Jobs();

    [Fact]
    public async Task A_schedule_that_an_edit_set_without_an_end_is_listed_with_who_and_why_and_is_cleared()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "tweaked_in_place", "0 2 * * *");
        await Jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = bound.BindingId, ScheduleCron = "0 4 * * *", Timezone = "Europe/Berlin", Reason = "the bank is late" }, cancellationToken: Token);
        // A revision for another reason does not take its place.
        await SetAsync(bound.BindingId, "priority", "1", "the board waits");

        var listed = (await Drift.ListOverridesAsync(new ListOverridesRequest { BindingId = bound.BindingId, Kind = "tweak" }, cancellationToken: Token)).Overrides.Single();
        var job = await Jobs.GetJobAsync(new GetJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);
        Assert.Equal(("tweak", "0 4 * * * Europe/Berlin", "the bank is late", "admin@acme.example", null), (listed.Kind, listed.Value, listed.Reason, listed.CreatedBy, listed.ExpiresAt));
        Assert.Equal(["priority", "tweak"], job.Overrides.Select(one => one.Kind));

        var cleared = await Drift.ClearOverrideAsync(new ClearOverrideRequest { BindingId = bound.BindingId, Kind = "tweak", Reason = "it is early again" }, cancellationToken: Token);
        var after = await Jobs.GetJobAsync(new GetJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);
        Assert.Equal(("cleared", "it is early again"), (cleared.Ending, cleared.EndReason));
        Assert.Equal(("0 2 * * *", "UTC", false, "priority"), (after.ScheduleCron, after.Timezone, after.ScheduleOverridden, Assert.Single(after.Overrides).Kind));
        var none = await Assert.ThrowsAsync<RpcException>(async () => await Drift.ClearOverrideAsync(new ClearOverrideRequest { BindingId = bound.BindingId, Kind = "tweak" }, cancellationToken: Token));
        Assert.Equal("NOT_OVERRIDDEN", none.Info().Reason);
        var set = await Assert.ThrowsAsync<RpcException>(() => SetAsync(bound.BindingId, "tweak", "0 5 * * *", "no"));
        Assert.Equal(StatusCode.InvalidArgument, set.StatusCode);
    }

    [Fact]
    public async Task Who_edits_by_what_was_read_before_an_override_is_told_to_look_again()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "read_before", "0 2 * * *");
        await SetAsync(bound.BindingId, "timeout", "45m", "full reload");
        foreach (var stale in new Func<Task>[]
        {
            async () => await Jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = bound.BindingId, Content = SampleTexts.Simple("read_before", "0 3 * * *"), Etag = bound.Etag }, cancellationToken: Token),
            async () => await Jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = bound.BindingId, ScheduleCron = "0 3 * * *", Etag = bound.Etag }, cancellationToken: Token),
            async () => await Drift.ClearOverrideAsync(new ClearOverrideRequest { BindingId = bound.BindingId, Kind = "timeout", Etag = bound.Etag }, cancellationToken: Token),
        })
            Assert.Equal((StatusCode.Aborted, "ETAG_MISMATCH"), await Assert.ThrowsAsync<RpcException>(stale) is var refused ? (refused.StatusCode, refused.Info().Reason) : default);

        var read = await Jobs.GetJobAsync(new GetJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);
        Assert.Equal("r2", read.Etag);
        var edited = await Jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = bound.BindingId, Content = SampleTexts.Simple("read_before", "0 3 * * *"), Etag = read.Etag }, cancellationToken: Token);
        Assert.Equal("r3", edited.Etag);
    }

    private async Task<Override> SetAsync(long bindingId, string kind, string value, string reason) => await Drift.SetOverrideAsync(new SetOverrideRequest
    {
        BindingId = bindingId, Kind = kind, Value = value, Reason = reason, ExpiresAt = TimeProvider.System.GetUtcNow().AddHours(6).ToTimestamp(),
    }, cancellationToken: Token);
}
