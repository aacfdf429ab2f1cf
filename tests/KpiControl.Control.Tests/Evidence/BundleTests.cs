using System.Text.Json.Nodes;
using Grpc.Core;
using KpiControl.Jobs.Evidence;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Evidence;

/// <summary>Who has a bundle and the public key can say what led to a number, and finds whatever was altered.</summary>
public sealed class BundleTests(EvidenceFixture fixture) : IClassFixture<EvidenceFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_bundle_says_which_definition_ran_who_agreed_to_it_and_where_the_numbers_came_from()
    {
        var verdict = fixture.Verify(EvidenceFixture.Bytes(await ExportAsync()));

        Assert.Null(verdict.Finding);
        Assert.Equal(("acme", "auditor@acme.example"), (verdict.Statement!.Tenant, verdict.Statement.ExportedBy));
        Assert.Equal(["failed", "success"], verdict.Runs.Select(r => r.Status).Order());
        var run = verdict.Runs.Single(r => r.RunId == $"{fixture.Run}");
        Assert.Equal(("prod/dso", "agent-eu", "false"), (run.Job, run.Agent, run.SlaBreached));
        Assert.Equal(["business: business", "technical: technical"], run.Approvers);
        Assert.Equal(["GDP_Sales@2026.03"], run.Sources);
    }

    [Fact]
    public async Task A_change_of_any_byte_is_found()
    {
        // Each verification reads the whole bundle: every byte of a small one.
        var small = EvidenceFixture.Bytes(await fixture.ExportAsync(new ExportEvidenceRequest { RunId = await fixture.RunInDevAsync("small") }));
        DemandFound(small, Enumerable.Range(0, small.Length));

        // And of one with every kind of document some bytes of each line, the first and the last among them.
        var lines = await ExportAsync();
        var ends = lines.Aggregate(new List<int> { 0 }, (ends, line) => [.. ends, ends[^1] + System.Text.Encoding.UTF8.GetByteCount(line) + 1]);
        DemandFound(EvidenceFixture.Bytes(lines), ends.Zip(ends.Skip(1)).SelectMany(l => Enumerable.Range(0, 25).Select(n => l.First + (n * (l.Second - 1 - l.First) / 24))));
    }

    [Fact]
    public async Task Bytes_that_were_added_or_taken_away_are_found()
    {
        var bundle = EvidenceFixture.Bytes(await ExportAsync());
        foreach (var added in " \n\r\t\0\ufeff"u8.ToArray().Select(b => new[] { b }).Append("\ufeff"u8.ToArray()))
        {
            Assert.NotNull(fixture.Verify([.. bundle, .. added]).Finding);
            Assert.NotNull(fixture.Verify([.. added, .. bundle]).Finding);
            Assert.NotNull(fixture.Verify([.. bundle[..^1], .. added, bundle[^1]]).Finding);
        }
        Assert.NotNull(fixture.Verify(bundle[..^1]).Finding);
        Assert.NotNull(fixture.Verify([]).Finding);
    }

    [Fact]
    public async Task A_second_implementation_written_from_the_page_alone_says_the_same_of_whatever_was_altered()
    {
        var lines = await ExportAsync();
        var whole = EvidenceFixture.Bytes(lines);
        List<byte[]> variants = [whole, .. Flipped(whole), .. await SignedAnewAsync(lines)];

        var second = await fixture.SecondAsync(variants);

        Assert.StartsWith("true 2 runs", second[0], StringComparison.Ordinal);
        foreach (var (variant, verdict) in variants.Zip(second))
        {
            var finding = fixture.Verify(variant).Finding;
            Assert.True((finding is null) == verdict.StartsWith("true", StringComparison.Ordinal), $"the product: {finding ?? "whole"}; the second: {verdict}");
        }
    }

    [Theory]
    [InlineData("definition", "canonical_json", "another hash than its canonical JSON")]
    [InlineData("contract", "canonical_json", "another digest than its canonical JSON")]
    [InlineData("change", "signed", "another digest than what was signed")]
    [InlineData("change", "author", "the proposal of change")]
    [InlineData("run", "agent", "by another agent")]
    [InlineData("run", "sla_breached", "another promise")]
    [InlineData("revision", "content_hash", "is not here")]
    [InlineData("revision", "change_id", "is not here")]
    [InlineData("revision", "environment", "another environment")]
    [InlineData("revision", "region", "another region")]
    [InlineData("revision", "job_id", "another job_id")]
    [InlineData("revision", "schedule_cron", "another schedule_cron")]
    [InlineData("revision", "timezone", "another timezone")]
    [InlineData("revision", "active", "another active")]
    [InlineData("revision", "changed_by", "another changed_by")]
    [InlineData("revision", "reason", "another reason")]
    [InlineData("revision", "effective_from", "another effective_from")]
    [InlineData("revision", "calendar", "another calendar")]
    [InlineData("revision", "calendar_version", "another calendar_version")]
    [InlineData("revision", "calendar_digest", "of the calendar days, with that digest, is in no row")]
    [InlineData("link", "prev_hash", "was changed")]
    [InlineData("checkpoint", "signature", "does not fit")]
    public async Task What_the_installation_itself_signs_otherwise_than_its_chain_has_it_is_found(string kind, string member, string finding)
    {
        var (statement, documents) = EvidenceFixture.Read(await ExportAsync());
        var altered = documents.First(d => d.Kind == kind && d[member] is not null);
        var index = documents.IndexOf(altered);
        Assert.Contains(finding, fixture.Verify(fixture.SignAnew(statement, [.. documents[..index], Altered(altered, member), .. documents[(index + 1)..]])).Finding, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("principal", "mallory", "is in no row of the chain")]
    [InlineData("principal", "author", "does not count")]
    [InlineData("digest", "sha256:0", "is on another content")]
    [InlineData("decision", "reject", "is in no row of the chain")]
    public async Task An_approval_that_was_not_given_is_found(string member, string value, string finding)
    {
        var (statement, documents) = EvidenceFixture.Read(await ExportAsync());
        var index = documents.FindIndex(d => d.Kind == "change");
        var body = documents[index].Body.DeepClone().AsObject();
        body["decisions"]![0]![member] = value;
        Assert.Contains(finding, fixture.Verify(fixture.SignAnew(statement, [.. documents[..index], new EvidenceDocument("change", body), .. documents[(index + 1)..]])).Finding, StringComparison.Ordinal);

        body["decisions"] = new JsonArray();
        Assert.Contains("lacks the business approval", fixture.Verify(fixture.SignAnew(statement, [.. documents[..index], new EvidenceDocument("change", body), .. documents[(index + 1)..]])).Finding, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("schema_hash", "has schema_hash and no policy_version")]
    [InlineData("values_digest", "has values_digest and no policy_version")]
    [InlineData("approval", "has approval and no policy_version")]
    [InlineData("sla", "has sla and no policy_version")]
    public async Task Evidence_that_leaves_out_its_policy_passes_no_check_by_it(string kept, string finding)
    {
        var others = new[] { "policy_version", "schema_hash", "values_digest", "approval", "sla" }.Where(name => name != kept).ToList();
        await RefusedByBothAsync(finding, row => row["kind"]?.GetValue<string>() == "run" && row["run_id"]!.GetValue<string>() == $"{fixture.Run}",
            row => Forgery.Within(row, "document", document => others.ForEach(name => document.Remove(name))));
    }

    [Fact]
    public async Task Evidence_that_names_approvers_who_did_not_approve_is_refused() => await RefusedByBothAsync(
        "names other approvers", row => row["kind"]?.GetValue<string>() == "run" && row["run_id"]!.GetValue<string>() == $"{fixture.Run}",
        row => Forgery.Within(row, "document", document => document["approval"]!["approvers"] = new JsonArray("business: mallory", "technical: technical")));

    [Theory]
    [InlineData("environment", "dev", "another environment")]
    [InlineData("actor", "mallory", "another changed_by")]
    [InlineData("reason", "because", "another reason")]
    public async Task What_put_a_revision_in_force_is_what_the_chain_says(string column, string value, string finding) =>
        await RefusedByBothAsync(finding, row => row["object_kind"]?.GetValue<string>() == "binding", row => row[column] = value);

    [Fact]
    public async Task A_report_that_another_job_left_under_the_same_number_is_no_part_of_it()
    {
        var other = await fixture.RunInDevAsync("other");
        await using (var connection = await fixture.Database.OpenAsync())
            await Dapper.SqlMapper.ExecuteAsync(connection, """
                WITH kept AS (
                  INSERT INTO kpi_evidence (run_id, binding_id, tenant_id, attempt_id, kind, document)
                  SELECT @run, binding_id, tenant_id, gen_random_uuid(), 'stale_fence', '{"detail": "of another job"}' FROM kpi_evidence WHERE run_id = @other AND kind = 'run' RETURNING evidence_id)
                INSERT INTO kpi_chain_pending (evidence_ids) SELECT array_agg(evidence_id) FROM kept
                """, new { run = fixture.Run, other });

        Assert.DoesNotContain(await ExportAsync(), line => line.Contains("of another job", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_key_that_was_not_given_is_named()
    {
        using var other = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        var verdict = EvidenceVerifier.Verify(EvidenceFixture.Bytes(await ExportAsync()), [other]);
        Assert.Contains(ChainSignature.IdOf(other), verdict.Finding, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_period_holds_every_run_of_a_job_or_a_KPI()
    {
        var date = fixture.BusinessDate.ToString("O");
        var ofJob = fixture.Verify(EvidenceFixture.Bytes(await fixture.ExportAsync(new ExportEvidenceRequest { Tenant = "acme", Environment = "prod", JobId = "dso", FirstDate = date })));
        var ofKpi = fixture.Verify(EvidenceFixture.Bytes(await fixture.ExportAsync(new ExportEvidenceRequest { Environment = "prod", KpiId = "T-SIMPLE", FirstDate = date, LastDate = date })));
        Assert.Equal((null, 2), (ofJob.Finding, ofJob.Runs.Count));
        Assert.Null(ofKpi.Finding);
        Assert.All(ofJob.Runs, run => Assert.Contains(ofKpi.Runs, other => other.RunId == run.RunId));
        Assert.Equal("T-SIMPLE", ofKpi.Statement!.Scope["kpi_id"]);
        Assert.Equal(StatusCode.NotFound, (await RefusedAsync(new ExportEvidenceRequest { BindingId = fixture.Binding, FirstDate = "2001-01-01" })).StatusCode);
        Assert.Equal(StatusCode.InvalidArgument, (await RefusedAsync(new ExportEvidenceRequest { BindingId = fixture.Binding })).StatusCode);
        Assert.Equal(StatusCode.InvalidArgument, (await RefusedAsync(new ExportEvidenceRequest { BindingId = fixture.Binding, FirstDate = "2026-02-01", LastDate = "2026-01-01" })).StatusCode);
    }

    [Fact]
    public async Task Evidence_goes_by_REST_too_and_to_nobody_who_may_not_export()
    {
        using var rest = fixture.Host.Rest(fixture.Person("ann", "analyst"));
        await ExportAsync();
        var messages = (await rest.GetStringAsync($"/api/evidence?run_id={fixture.Run}", Token)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Null(fixture.Verify(System.Text.Encoding.UTF8.GetBytes(string.Concat(messages.Select(m => JsonNode.Parse(m)!["lines"]!.GetValue<string>())))).Finding);

        var request = new ExportEvidenceRequest { RunId = fixture.Run };
        Assert.Equal(StatusCode.PermissionDenied, (await RefusedAsync(request, "acme/*/viewer")).StatusCode);
        Assert.Equal(StatusCode.NotFound, (await RefusedAsync(request, "globex/*/admin")).StatusCode);
        Assert.Equal(StatusCode.NotFound, (await RefusedAsync(new ExportEvidenceRequest { Tenant = "acme", Environment = "prod", KpiId = "T-SIMPLE", FirstDate = "2026-01-01" }, "globex/*/admin")).StatusCode);
    }

    [Fact]
    public async Task What_is_not_signed_proves_nothing_and_is_refused()
    {
        await using var unsigned = await ControlHost.StartAsync(fixture.Database, fixture.Issuer, ("Audit:LinkEvery", "00:03:00"), ("Leases:Node", "unsigned"));
        var client = new AuditService.AuditServiceClient(unsigned.Channel(fixture.Person("ann", "analyst")));
        using var stream = client.ExportEvidence(new ExportEvidenceRequest { RunId = fixture.Run }, cancellationToken: Token);
        var refused = await Assert.ThrowsAsync<RpcException>(() => stream.ResponseStream.MoveNext(Token));
        Assert.Equal("NOT_SIGNED", refused.Info().Reason);
    }

    private async Task RefusedByBothAsync(string finding, Predicate<JsonObject> which, Action<JsonObject> change)
    {
        var (statement, documents) = EvidenceFixture.Read(await ExportAsync());
        var whole = fixture.SignAnew(statement, Forgery.WithRow(documents, fixture.Key, _ => false, _ => { }));
        var forged = fixture.SignAnew(statement, Forgery.WithRow(documents, fixture.Key, which, change));
        Assert.Null(fixture.Verify(whole).Finding);
        Assert.Contains(finding, fixture.Verify(forged).Finding, StringComparison.Ordinal);
        Assert.Equal(["true", "false"], (await fixture.SecondAsync([whole, forged])).Select(said => said.Split(' ')[0]));
    }

    private void DemandFound(byte[] bundle, IEnumerable<int> places)
    {
        foreach (var i in places)
        {
            var bit = (byte)(1 << ((i * 5) + 3) % 8);
            bundle[i] ^= bit;
            Assert.True(fixture.Verify(bundle).Finding is not null, $"bit {bit} of byte {i}");
            bundle[i] ^= bit;
        }
        Assert.Null(fixture.Verify(bundle).Finding);
    }

    private Task<List<string>> ExportAsync() => fixture.ExportAsync(new ExportEvidenceRequest { RunId = fixture.Run });

    private async Task<RpcException> RefusedAsync(ExportEvidenceRequest request, string role = "acme/*/analyst")
    {
        using var stream = fixture.Audit(role).ExportEvidence(request, cancellationToken: Token);
        return await Assert.ThrowsAsync<RpcException>(() => stream.ResponseStream.MoveNext(Token));
    }

    private static IEnumerable<byte[]> Flipped(byte[] whole)
    {
        for (var i = 0; i < whole.Length; i += 211)
            yield return [.. whole[..i], (byte)(whole[i] ^ 1), .. whole[(i + 1)..]];
    }

    // Each document left out, and each member of each document another, all under a signature that fits.
    private Task<List<byte[]>> SignedAnewAsync(IReadOnlyList<string> lines)
    {
        var (statement, documents) = EvidenceFixture.Read(lines);
        var variants = new List<byte[]>();
        foreach (var (i, document) in documents.Index())
        {
            variants.Add(fixture.SignAnew(statement, [.. documents[..i], .. documents[(i + 1)..]]));
            foreach (var member in document.Body.Select(m => m.Key).ToList())
                variants.Add(fixture.SignAnew(statement, [.. documents[..i], Altered(document, member), .. documents[(i + 1)..]]));
        }
        variants.Add(fixture.SignAnew(statement, [.. documents.AsEnumerable().Reverse()]));
        return Task.FromResult(variants);
    }

    private static EvidenceDocument Altered(EvidenceDocument document, string member)
    {
        var body = document.Body.DeepClone().AsObject();
        body[member] = body[member] switch
        {
            JsonArray array => new JsonArray([.. array.Skip(1).Select(item => item!.DeepClone())]),
            JsonObject row => new JsonObject(row.Select((m, i) => KeyValuePair.Create(m.Key, i == 0 ? "other" : m.Value?.DeepClone()))),
            JsonValue value => value.GetValue<string>() is [.., '7'] text ? text + "8" : value.GetValue<string>() + "7",
            null => "something",
            _ => throw new InvalidOperationException(member),
        };
        return new EvidenceDocument(document.Kind, body);
    }
}
