using System.Diagnostics;
using System.Security.Cryptography;
using KpiControl.Control.Audit;
using KpiControl.Control.Hosting;
using KpiControl.Jobs.Evidence;
using KpiControl.Protocol.V1;
using KpiControl.Testing;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Tests.Audit;

/// <summary>The chain goes on under another key; what was signed before it verifies by the one of its time.</summary>
public sealed class KeyRotationTests(AuditFixture fixture) : IClassFixture<AuditFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Checkpoints_of_both_keys_verify_for_whoever_has_both_and_for_nobody_else()
    {
        using var nextFile = new AuditKeyFile();
        using var next = new AuditKey(Options.Create(new AuditOptions { SigningKeyFile = nextFile.Path }));
        using var nextPublic = Public(next.PublicPem);
        var formerFile = Path.GetTempFileName();
        await File.WriteAllTextAsync(formerFile, fixture.Key.PublicPem, Token);
        var issuer = await TestIssuer.SharedAsync();
        await using (var host = await ControlHost.StartAsync(fixture.Database, issuer, ("Audit:SigningKeyFile", nextFile.Path), ("Audit:FormerKeyFiles:0", formerFile), ("Audit:LinkEvery", "00:03:00")))
        {
            await fixture.ActAsync("job_after");
            while ((await fixture.Store.LinkAsync(default)).Rows > 0)
                ;
            await fixture.Store.SignAsync(next, TimeSpan.Zero, Token);
            var auditor = new Protocol.V1.AuditService.AuditServiceClient(host.Channel(issuer.PersonToken("auditor", "acme/*/auditor")));

            Assert.Equal(next.Id, (await auditor.GetAuditKeyAsync(new GetAuditKeyRequest(), cancellationToken: Token)).KeyId);
            Assert.Empty((await auditor.VerifyAuditAsync(new VerifyAuditRequest { Tenant = "acme" }, cancellationToken: Token)).Findings);
            var lines = await ExportAsync(auditor);
            Assert.Equal([fixture.Key.Id, next.Id], KeysOf(lines).Distinct());
            Assert.Empty(Findings(lines, fixture.PublicKey, nextPublic));
            Assert.Empty(Findings(lines, nextPublic, fixture.PublicKey));
            Assert.All(Findings(lines, nextPublic), finding => Assert.Contains($"is not signed by the key {next.Id}", finding, StringComparison.Ordinal));
            Assert.NotEmpty(Findings(lines, nextPublic));
            Assert.NotEmpty(Findings(lines, fixture.PublicKey));
            // Under another key's name a signature does not count.
            Assert.NotEmpty(Findings([.. lines.Select(line => line.Replace(fixture.Key.Id, next.Id, StringComparison.Ordinal))], fixture.PublicKey, nextPublic));
            Assert.Equal(0, await SecondAsync(lines, fixture.Key.PublicPem + "\n" + next.PublicPem));
            Assert.Equal(1, await SecondAsync(lines, next.PublicPem));
        }
        File.Delete(formerFile);
    }

    [Fact]
    public async Task A_former_key_is_a_public_one()
    {
        using var key = new AuditKeyFile();
        var issuer = await TestIssuer.SharedAsync();
        var refused = await Assert.ThrowsAnyAsync<Exception>(() => ControlHost.StartAsync(fixture.Database, issuer, ("Audit:FormerKeyFiles:0", key.Path), ("Audit:FormerKeyFiles:1", "/nowhere.pem")));
        Assert.Equal(
        [
            "Audit:FormerKeyFiles '/nowhere.pem' is not a readable PEM file with one EC public key",
            $"Audit:FormerKeyFiles '{key.Path}' holds a private key: what signs no more is kept by its public half alone (openssl pkey -pubout)",
        ], Startup.Mistakes(refused).Order(StringComparer.Ordinal));
    }

    private static async Task<List<string>> ExportAsync(Protocol.V1.AuditService.AuditServiceClient auditor)
    {
        using var stream = auditor.ExportAudit(new ExportAuditRequest { Tenant = "acme" }, cancellationToken: Token);
        var text = "";
        while (await stream.ResponseStream.MoveNext(Token))
            text += stream.ResponseStream.Current.Lines.ToStringUtf8();
        return [.. text.TrimEnd('\n').Split('\n')];
    }

    private static IEnumerable<string> KeysOf(IEnumerable<string> lines) =>
        lines.Where(line => line.StartsWith("{\"checkpoint\"", StringComparison.Ordinal)).Select(line => System.Text.Json.Nodes.JsonNode.Parse(line)!["checkpoint"]!["key_id"]!.GetValue<string>());

    private static IReadOnlyList<string> Findings(IEnumerable<string> lines, params ECDsa[] keys)
    {
        var verifier = new ExportVerifier(keys, []);
        foreach (var line in lines)
            verifier.Read(line);
        verifier.End();
        return verifier.Findings;
    }

    private static ECDsa Public(string pem)
    {
        var key = ECDsa.Create();
        key.ImportFromPem(pem);
        return key;
    }

    private static async Task<int> SecondAsync(IReadOnlyList<string> lines, string keys)
    {
        var directory = Directory.CreateTempSubdirectory("kpi-rotation-");
        try
        {
            var (file, key) = (Path.Combine(directory.FullName, "export.ndjson"), Path.Combine(directory.FullName, "keys.pem"));
            await File.WriteAllTextAsync(file, string.Concat(lines.Select(line => line + "\n")), Token);
            await File.WriteAllTextAsync(key, keys, Token);
            using var node = Process.Start(new ProcessStartInfo("node", [Repository.File("tests", "audit", "verify.mjs"), file, "--key", key]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            await node.StandardOutput.ReadToEndAsync(Token);
            await node.WaitForExitAsync(Token);
            return node.ExitCode;
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }
}
