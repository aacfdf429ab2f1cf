using System.Text.Json.Nodes;
using KpiControl.Jobs.Evidence;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Tests.Evidence;

/// <summary>A number whose definition was released by break-glass is proven as any other, and told as what it is.</summary>
public sealed class BreakGlassEvidenceTests(EvidenceFixture fixture) : IClassFixture<EvidenceFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_run_whose_definition_was_released_by_break_glass_verifies_and_says_so()
    {
        var (change, run) = await RunAsync("urgent");

        var lines = await fixture.ExportAsync(new ExportEvidenceRequest { RunId = run });
        var verdict = fixture.Verify(EvidenceFixture.Bytes(lines));

        Assert.Null(verdict.Finding);
        var told = Assert.Single(verdict.Runs);
        Assert.Equal(["break-glass: bea", "break-glass: carl"], told.Approvers);
        Assert.Equal(new EvidencedBreakGlass($"{change.ChangeId}", "the ledger is wrong", null, null), told.BreakGlass);
        Assert.Contains($", change {change.ChangeId} by break-glass", Assert.Single(await fixture.SecondAsync([EvidenceFixture.Bytes(lines)])), StringComparison.Ordinal);

        await fixture.Changes("dora", "approver_technical").CloseReviewAsync(new CloseReviewRequest { ChangeId = change.ChangeId, Comment = "it was right" }, cancellationToken: Token);
        var reviewed = EvidenceFixture.Bytes(await fixture.ExportAsync(new ExportEvidenceRequest { RunId = run }));
        Assert.Equal(new EvidencedBreakGlass($"{change.ChangeId}", "the ledger is wrong", "dora", "it was right"), Assert.Single(fixture.Verify(reviewed).Runs).BreakGlass);
        Assert.StartsWith("true ", Assert.Single(await fixture.SecondAsync([reviewed])), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_owners_ordinary_approval_stands_beside_those_that_broke_the_glass()
    {
        var change = await fixture.ProposeAsync("half_agreed");
        await fixture.Changes("business", "approver_business").ApproveChangeAsync(new DecideChangeRequest { ChangeId = change.ChangeId, Digest = change.Digest }, cancellationToken: Token);
        var run = await ReleaseAndRunAsync(change);

        var verdict = fixture.Verify(EvidenceFixture.Bytes(await fixture.ExportAsync(new ExportEvidenceRequest { RunId = run })));

        Assert.Null(verdict.Finding);
        Assert.Equal(["break-glass: bea", "break-glass: carl", "business: business"], Assert.Single(verdict.Runs).Approvers);
    }

    [Fact]
    public async Task Less_than_two_in_time_each_in_the_chain_and_a_review_that_is_told_right_is_refused()
    {
        var (change, run) = await RunAsync("forged");
        await fixture.Changes("dora", "approver_technical").CloseReviewAsync(new CloseReviewRequest { ChangeId = change.ChangeId, Comment = "it was right" }, cancellationToken: Token);
        var (statement, documents) = EvidenceFixture.Read(await fixture.ExportAsync(new ExportEvidenceRequest { RunId = run }));

        List<(string Finding, byte[] Bundle)> forged =
        [
            .. new (string Finding, Action<JsonObject> Change)[]
            {
                ("takes 2 approvers whose time is not over; 1 are here", body => body["break_glass"]!.AsArray().RemoveAt(0)),
                ("takes 2 approvers whose time is not over; 0 are here", body => body["break_glass"] = new JsonArray()),
                ("takes 2 approvers whose time is not over; 1 are here", body => body["break_glass"]![0] = body["break_glass"]![1]!.DeepClone()),
                ("bea for change/", body => body["break_glass"]![0]!["capacity"] = "technical"),
                ("bea for change/", body => body["break_glass"]![0]!["expires_at"] = "2999-01-01T00:00:00.000000Z"),
                ("bea for change/", body => body["break_glass"]![0]!["decided_at"] = "2001-01-01T00:00:00.000000Z"),
                ("bea for change/", body => body["break_glass"]![0]!["reason"] = "no hurry"),
                ("is for another content: sha256:0", body => body["break_glass"]![0]!["digest"] = "sha256:0"),
                ("author for change/", body => body["break_glass"]![0]!["principal"] = "author"),
                ("mallory for change/", body => body["break_glass"]![0]!["principal"] = "mallory"),
                ("lacks the business approval", body => body["review"] = null),
                ("was released by break-glass is in no row", body => body["review"]!["reason"] = "no hurry"),
                ("was released by break-glass is in no row", body => body["review"]!["opened_at"] = "2001-01-01T00:00:00.000000Z"),
                ("was released by break-glass is in no row", body => body["review"]!["participants"]!.AsArray().RemoveAt(0)),
                ("was closed is in no row", body => body["review"]!["closed_by"] = "eve"),
                ("was closed is in no row", body => body["review"]!["comment"] = "it was wrong"),
                ("who had a part in it", body => body["review"]!["closed_by"] = "bea"),
            }.Select(variant => (variant.Finding, fixture.SignAnew(statement, Forgery.With(documents, "change", variant.Change)))),
            .. new (string Finding, Predicate<JsonObject> Row)[]
            {
                ("bea for change/", row => row["actor"]!.GetValue<string>() == "bea"),
                ("carl for change/", row => row["actor"]!.GetValue<string>() == "carl"),
                ("was released by break-glass is in no row", row => Said(row, "open")),
                ("was closed is in no row", row => Said(row, "closed")),
            }.Select(variant => (variant.Finding, fixture.SignAnew(statement, [.. documents.Where(d => !(d.Kind == "row" && IsOfChange(d) && variant.Row((JsonObject)d.Body["row"]!)))]))),
            ("leaves out that bea", fixture.SignAnew(statement, Forgery.With(
                Forgery.WithRow(documents, fixture.Key, row => row["after"]?.GetValue<string>().Contains("participants", StringComparison.Ordinal) == true, row => Forgery.Within(row, "after", Without)),
                "change", body => Without(body["review"]!.AsObject())))),
        ];

        Assert.All(forged, variant => Assert.Contains(variant.Finding, fixture.Verify(variant.Bundle).Finding, StringComparison.Ordinal));
        Assert.All(await fixture.SecondAsync(forged.Select(variant => variant.Bundle)), said => Assert.StartsWith("false ", said, StringComparison.Ordinal));

        static bool IsOfChange(EvidenceDocument row) => row.Body["row"]!["object_kind"]?.GetValue<string>() == "change";
        static bool Said(JsonObject row, string review) => JsonNode.Parse(row["after"]!.GetValue<string>())!["review"]?.GetValue<string>() == review;
        static void Without(JsonObject review) => review["participants"] = new JsonArray("author", "carl", "publisher");
    }

    [Fact]
    public async Task An_approval_whose_time_was_over_counts_in_no_record()
    {
        var change = await fixture.ProposeAsync("slow");
        await BreakAsync(change, "old");
        await using (var connection = await fixture.Database.OpenAsync())
            await Dapper.SqlMapper.ExecuteAsync(connection, """
                ALTER TABLE kpi_break_glass_approval DISABLE TRIGGER append_only;
                UPDATE kpi_break_glass_approval SET expires_at = decided_at + interval '1 microsecond' WHERE principal = 'old';
                ALTER TABLE kpi_break_glass_approval ENABLE TRIGGER append_only;
                """);
        var run = await ReleaseAndRunAsync(change);

        await using var reading = await fixture.Database.OpenAsync();
        Assert.Equal("[\"break-glass: bea\", \"break-glass: carl\"]", await Dapper.SqlMapper.ExecuteScalarAsync<string>(
            reading, "SELECT document -> 'approval' ->> 'approvers' FROM kpi_evidence WHERE run_id = @run AND kind = 'run'", new { run }));
    }

    private async Task<(Change Change, long Run)> RunAsync(string jobId)
    {
        var change = await fixture.ProposeAsync(jobId);
        return (change, await ReleaseAndRunAsync(change));
    }

    private async Task<long> ReleaseAndRunAsync(Change change)
    {
        foreach (var name in new[] { "bea", "carl" })
            await BreakAsync(change, name);
        await fixture.Changes("publisher", "publisher").ApplyChangeAsync(new ApplyChangeRequest { ChangeId = change.ChangeId, BreakGlass = true, Reason = "the ledger is wrong" }, cancellationToken: Token);
        return (await fixture.RunAsync(change.BindingId)).Fence.Number;
    }

    private Task<Change> BreakAsync(Change change, string name) => fixture.Changes(name, "approver_business").ApproveChangeAsync(
        new DecideChangeRequest { ChangeId = change.ChangeId, Digest = change.Digest, Comment = "it cannot wait", BreakGlass = true }, cancellationToken: Token).ResponseAsync;
}
