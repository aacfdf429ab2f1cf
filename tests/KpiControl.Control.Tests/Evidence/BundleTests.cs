using System.Diagnostics;
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
        var bundle = EvidenceFixture.Bytes(await ExportAsync());
        for (var i = 0; i < bundle.Length; i++)
        {
            var bit = (byte)(1 << ((i * 5) + 3) % 8);
            bundle[i] ^= bit;
            Assert.True(fixture.Verify(bundle).Finding is not null, $"bit {bit} of byte {i}");
            bundle[i] ^= bit;
        }
        Assert.Null(fixture.Verify(bundle).Finding);
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

        var second = await SecondAsync(variants);

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
    [InlineData("link", "prev_hash", "was changed")]
    [InlineData("checkpoint", "signature", "does not fit")]
    public async Task What_the_installation_itself_signs_otherwise_than_its_chain_has_it_is_found(string kind, string member, string finding)
    {
        var (statement, documents) = Read(await ExportAsync());
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
        var (statement, documents) = Read(await ExportAsync());
        var index = documents.FindIndex(d => d.Kind == "change");
        var body = documents[index].Body.DeepClone().AsObject();
        body["decisions"]![0]![member] = value;
        Assert.Contains(finding, fixture.Verify(fixture.SignAnew(statement, [.. documents[..index], new EvidenceDocument("change", body), .. documents[(index + 1)..]])).Finding, StringComparison.Ordinal);

        body["decisions"] = new JsonArray();
        Assert.Contains("lacks the business approval", fixture.Verify(fixture.SignAnew(statement, [.. documents[..index], new EvidenceDocument("change", body), .. documents[(index + 1)..]])).Finding, StringComparison.Ordinal);
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
        var (statement, documents) = Read(lines);
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

    private static (EvidenceStatement, List<EvidenceDocument>) Read(IReadOnlyList<string> lines)
    {
        var payload = Convert.FromBase64String(JsonNode.Parse(lines[^1])!["payload"]!.GetValue<string>());
        return (EvidenceStatement.Read(System.Text.Encoding.UTF8.GetString(payload))!, [.. lines.SkipLast(1).Select(line => EvidenceDocument.Read(line)!)]);
    }

    private async Task<string[]> SecondAsync(IEnumerable<byte[]> bundles)
    {
        var directory = Directory.CreateTempSubdirectory("kpi-evidence-");
        try
        {
            var (file, key) = (Path.Combine(directory.FullName, "bundles"), Path.Combine(directory.FullName, "key.pem"));
            await File.WriteAllTextAsync(file, string.Concat(bundles.Select(b => Convert.ToBase64String(b) + "\n")), Token);
            await File.WriteAllTextAsync(key, fixture.KeyPem, Token);
            using var node = Process.Start(new ProcessStartInfo("node", [Repository.File("tests", "evidence", "verify.mjs"), "--each", file, "--key", key]) { RedirectStandardOutput = true })!;
            var said = await node.StandardOutput.ReadToEndAsync(Token);
            await node.WaitForExitAsync(Token);
            Assert.Equal(0, node.ExitCode);
            return said.TrimEnd('\n').Split('\n');
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }
}
