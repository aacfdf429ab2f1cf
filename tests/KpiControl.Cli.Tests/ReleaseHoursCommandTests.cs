using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Tests.Support;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Tests;

public sealed class ReleaseHoursCommandTests(ScriptedControlPlane server) : IClassFixture<ScriptedControlPlane>
{
    private static readonly Timestamp Ended = Timestamp.FromDateTimeOffset(DateTimeOffset.UnixEpoch), Later = Timestamp.FromDateTimeOffset(new(2098, 1, 4, 8, 0, 0, TimeSpan.Zero));

    [Fact]
    public async Task Windows_are_written_as_days_a_range_and_a_zone()
    {
        server.Script.When<PutPolicyRequest>(_ => Policy());
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("policies", "set", "--tenant", "acme", "--env", "prod", "--window", "mon-wed,sat 09:00-16:00 Europe/Berlin", "--window", "daily 22:00-04:00 UTC");

        var put = server.Script.Last<PutPolicyRequest>();
        Assert.Equal(["mon,tue,wed,sat 09:00 16:00 Europe/Berlin", " 22:00 04:00 UTC"], put.ReleaseWindows.Windows.Select(w => $"{string.Join(',', w.Days)} {w.From} {w.To} {w.Timezone}"));
        Assert.Null(put.Freezes);
        Assert.Contains("acme/prod: releases mon 09:00-16:00 UTC\n", result.Out, StringComparison.Ordinal);
        Assert.Contains("acme/prod: frozen from 1970-01-01 00:00:00Z until 2098-01-04 08:00:00Z: year end\n", result.Out, StringComparison.Ordinal);

        await kpictl.Run("policies", "set", "--tenant", "acme", "--env", "prod", "--no-windows");
        Assert.Empty(server.Script.Last<PutPolicyRequest>().ReleaseWindows.Windows);
        foreach (var wrong in new[] { "mon 09:00 UTC", "moon 09:00-16:00 UTC", "mon-tue-wed 09:00-16:00 UTC" })
            Assert.Equal(2, (await kpictl.Run("policies", "set", "--tenant", "acme", "--env", "prod", "--window", wrong)).Exit);
    }

    [Fact]
    public async Task A_freeze_is_added_to_those_of_the_policy_and_a_thaw_takes_them_back()
    {
        server.Script.When<GetPolicyRequest>(_ => Policy());
        server.Script.When<PutPolicyRequest>(_ => Policy());
        using var kpictl = new CommandLine(server);

        await kpictl.Run("policies", "freeze", "--tenant", "acme", "--env", "prod", "--from", "2097-12-20", "--until", "2098-01-01T12:00Z", "--reason", "audit");

        var put = server.Script.Last<PutPolicyRequest>();
        Assert.Equal(("p7", "audit"), (put.Etag, put.Reason));
        // Which have ended is for the control plane to say, by its database's clock.
        Assert.Equal(["old", "year end", "audit"], put.Freezes.Freezes_.Select(freeze => freeze.Reason));
        Assert.Equal(new DateTimeOffset(2097, 12, 20, 0, 0, 0, TimeSpan.Zero), put.Freezes.Freezes_[2].From.ToDateTimeOffset());
        await kpictl.Run("policies", "thaw", "--tenant", "acme", "--env", "prod");
        Assert.Equal(("p7", 0), (server.Script.Last<PutPolicyRequest>().Etag, server.Script.Last<PutPolicyRequest>().Freezes.Freezes_.Count));
    }

    [Fact]
    public async Task An_approved_change_says_what_holds_it_back_and_until_when()
    {
        server.Script.When<GetChangeRequest>(_ => new Change { ChangeId = 7, Tenant = "acme", Environment = "prod", JobId = "dso", State = "approved", HeldBy = "the freeze (year end)", ReleasableFrom = Later });
        using var kpictl = new CommandLine(server);

        Assert.Contains("  held back by the freeze (year end); may be released from 2098-01-04 08:00:00Z on\n", (await kpictl.Run("changes", "7")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Breaking_the_glass_is_asked_for_by_name_and_reviews_are_listed_and_closed()
    {
        server.Script.When<GetChangeRequest>(_ => Released());
        server.Script.When<DecideChangeRequest>(_ => Released());
        server.Script.When<ApplyChangeRequest>(_ => Released());
        server.Script.When<ListReviewsRequest>(_ => new ListReviewsResponse { Reviews = { Released().Review } });
        server.Script.When<CloseReviewRequest>(_ => Released().Review);
        using var kpictl = new CommandLine(server);

        await kpictl.Run("approve", "7", "--break-glass", "--comment", "urgent");
        Assert.Equal((true, "sha256:d", "urgent"), server.Script.Last<DecideChangeRequest>() is var asked ? (asked.BreakGlass, asked.Digest, asked.Comment) : default);
        await kpictl.Run("release", "7", "--break-glass", "--reason", "urgent");
        Assert.Equal((true, "urgent"), server.Script.Last<ApplyChangeRequest>() is var release ? (release.BreakGlass, release.Reason) : default);
        Assert.Contains("  review open; released because: urgent\n", (await kpictl.Run("changes", "7")).Out, StringComparison.Ordinal);
        Assert.Matches(@"7 +acme/prod/dso +open +.* urgent +anna, bea", (await kpictl.Run("changes", "reviews", "--env", "prod")).Out);
        Assert.Equal(("prod", "open"), (server.Script.Last<ListReviewsRequest>().Environment, server.Script.Last<ListReviewsRequest>().State));
        Assert.Equal("the review of change/7 closed\n", (await kpictl.Run("changes", "reviews", "close", "7", "--comment", "it was right")).Out);
        Assert.Equal((7, "it was right"), (server.Script.Last<CloseReviewRequest>().ChangeId, server.Script.Last<CloseReviewRequest>().Comment));
    }

    private static Change Released() => new()
    {
        ChangeId = 7, Tenant = "acme", Environment = "prod", JobId = "dso", State = "applied", Digest = "sha256:d",
        Review = new ChangeReview { ChangeId = 7, Tenant = "acme", Environment = "prod", JobId = "dso", State = "open", Reason = "urgent", Participants = { "anna", "bea" }, OpenedAt = Ended },
    };

    private static TenantPolicy Policy() => new()
    {
        Tenant = "acme", Environment = "prod", Version = 7, Etag = "p7", ReleaseWindows = { new ReleaseWindow { Days = { "mon" }, From = "09:00", To = "16:00", Timezone = "UTC" } },
        Freezes = { new Freeze { From = Ended, Until = Ended + Duration.FromTimeSpan(TimeSpan.FromHours(1)), Reason = "old" }, new Freeze { From = Ended, Until = Later, Reason = "year end" } },
    };
}
