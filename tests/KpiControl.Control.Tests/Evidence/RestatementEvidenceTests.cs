using System.Text.Json.Nodes;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Tests.Leases;
using KpiControl.Jobs.Evidence;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Evidence;

/// <summary>A bundle has a number in both views, and proves that the restated one was agreed to.</summary>
public sealed class RestatementEvidenceTests(EvidenceFixture fixture) : IClassFixture<EvidenceFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_bundle_of_a_run_in_either_view_or_of_the_period_has_both_and_who_agreed_and_whatever_else_is_told_is_refused()
    {
        var (reported, restated, date) = await RestateAsync("late");

        foreach (var request in new ExportEvidenceRequest[] { new() { RunId = reported }, new() { RunId = restated }, new() { Tenant = "acme", Environment = "prod", JobId = "late", FirstDate = date } })
        {
            var bundle = EvidenceFixture.Bytes(await fixture.ExportAsync(request));
            var verdict = fixture.Verify(bundle);
            Assert.Null(verdict.Finding);
            Assert.Equal([(reported, null), (restated, $"{reported}")], verdict.Runs.Select(r => (long.Parse(r.RunId), r.RestatesRunId)).Order());
            Assert.StartsWith("true 2 runs", Assert.Single(await fixture.SecondAsync([bundle])), StringComparison.Ordinal);
        }

        var (statement, documents) = EvidenceFixture.Read(await fixture.ExportAsync(new ExportEvidenceRequest { RunId = restated }));
        List<(string Finding, byte[] Bundle)> forged =
        [
            .. new (string Finding, Predicate<JsonObject> Row, Action<JsonObject> Change)[]
            {
                ("restates is not here", IsRestated, row => Forgery.Within(row, "document", d => d["restatement"]!["reported_run_id"] = "1")),
                ("the other does not", IsRestated, row => Forgery.Within(row, "document", d => d.Remove("restatement"))),
                ("the other does not", row => row["table"]!.GetValue<string>() == "history" && row["id"]!.GetValue<string>() == $"{restated}", row => row["trigger_kind"] = "backfill"),
                ("restates is not here", row => row["table"]!.GetValue<string>() == "history" && row["id"]!.GetValue<string>() == $"{reported}", row => row["business_date"] = "2001-01-01"),
                ("accepted what", IsRestated, row => Forgery.Within(row, "document", d => d["restatement"]!["accepted_by"] = "mallory")),
                ("accepted what", IsRestated, row => Forgery.Within(row, "document", d => d["restatement"]!["digest"] = "sha256:0")),
                ("accepted what", IsAct("proposed"), row => Forgery.Within(row, "after", a => a["signed"] = a["signed"]!.GetValue<string>().Replace(date, "2001-01-01", StringComparison.Ordinal))),
                ("restates another number", IsRestated, row => Forgery.Within(row, "document", d => d["restatement"]!["source"] = "GDP_Other")),
                ("names others than approved", IsRestated, row => Forgery.Within(row, "document", d => d["restatement"]!["approvers"] = new JsonArray("business: mallory", "technical: technical"))),
                ("was started is in no row", IsAct("running"), row => Forgery.Within(row, "after", a => a["state"] = "restated")),
                ("does not count", row => IsDecision(row, "technical") || IsRestated(row), row =>
                {
                    if (!IsRestated(row))
                        row["actor"] = "business";
                    else
                        Forgery.Within(row, "document", d => d["restatement"]!["approvers"] = new JsonArray("business: business", "technical: business"));
                }),
                ("lacks the technical approval", row => IsAct("proposed")(row), row => Forgery.Within(row, "after", a => a["required"]!.AsArray().Add(new JsonObject { ["capacity"] = "technical", ["principal"] = "dora" }))),
            }.Select(variant => (variant.Finding, fixture.SignAnew(statement, Forgery.WithRow(documents, fixture.Key, variant.Row, variant.Change)))),
            ("restates is not here", fixture.SignAnew(statement, [.. documents.Where(d => d.Name != $"run/{reported}")])),
        ];

        Assert.All(forged, variant => Assert.Contains(variant.Finding, fixture.Verify(variant.Bundle).Finding, StringComparison.Ordinal));
        Assert.All(await fixture.SecondAsync(forged.Select(variant => variant.Bundle)), said => Assert.StartsWith("false ", said, StringComparison.Ordinal));

        bool IsRestated(JsonObject row) => row["table"]!.GetValue<string>() == "evidence" && row["run_id"]!.GetValue<string>() == $"{restated}";
        static Predicate<JsonObject> IsAct(string state) => row => IsOf(row) && JsonNode.Parse(row["after"]!.GetValue<string>())!["state"]?.GetValue<string>() == state;
        static bool IsDecision(JsonObject row, string actor) => IsOf(row) && row["actor"]!.GetValue<string>() == actor && row["after"]!.GetValue<string>().Contains("\"decision\"", StringComparison.Ordinal);
        static bool IsOf(JsonObject row) => row["object_kind"]?.GetValue<string>() == "restatement";
    }

    /// <summary>Reports a date, loads its table again, and restates the number with both owners' agreement.</summary>
    private async Task<(long Reported, long Restated, string Date)> RestateAsync(string jobId)
    {
        await PublishAsync(jobId, "load-1");
        var binding = await fixture.ReleaseAsync(jobId, $"dependencies: {{ gdp: [GDP_{jobId}] }}");
        var reported = await fixture.RunAsync(binding);
        await PublishAsync(jobId, "load-2");
        var publisher = Client("publisher", "publisher");
        var offer = await Eventually.ComesAsync("a restatement is offered", async token =>
            (await publisher.ListRestatementsAsync(new ListRestatementsRequest { BindingId = binding }, cancellationToken: token)).Restatements.SingleOrDefault());
        var proposed = await publisher.AcceptRestatementAsync(new AcceptRestatementRequest { RestatementId = offer.RestatementId, Reason = "the ledger came late" }, cancellationToken: Token);
        foreach (var owner in new[] { "business", "technical" })
            await Client(owner, $"approver_{owner}").ApproveRestatementAsync(new DecideRestatementRequest { RestatementId = offer.RestatementId, Digest = proposed.Digest, Comment = "looked at" }, cancellationToken: Token);
        await using var agent = await TestAgent.ConnectAsync(fixture.Host.Channel(fixture.Issuer.AgentToken($"again-{binding}", "eu", "acme")), $"again-{binding}", credit: 1);
        using var alive = new PeriodicHeartbeat(agent);
        var lease = await agent.LeaseAsync();
        Assert.Equal(("restated", reported.BusinessDate), (lease.ScdView, lease.BusinessDate));
        await agent.FinishAsync(EvidenceFixture.Reported(lease));
        await Eventually.ComesAsync("the restatement has ended", async token =>
            await publisher.GetRestatementAsync(new GetRestatementRequest { RestatementId = offer.RestatementId }, cancellationToken: token) is { State: "restated" } ended ? ended : null);
        return (reported.Fence.Number, lease.Fence.Number, reported.BusinessDate);
    }

    private async Task PublishAsync(string jobId, string run) => await new SignalService.SignalServiceClient(fixture.Host.Channel(fixture.Person("publisher", "publisher"))).PublishRefreshAsync(new PublishRefreshRequest
    {
        Tenant = "acme", Environment = "prod", Dataset = $"GDP_{jobId}", RunId = run, DataThrough = Timestamp.FromDateTime(TimeProvider.System.GetUtcNow().UtcDateTime.Date),
    }, cancellationToken: Token);

    private RestatementService.RestatementServiceClient Client(string name, string role) => new(fixture.Host.Channel(fixture.Person(name, role)));
}
