using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Jobs.Evidence;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Evidence;

/// <summary>A node that signs at once, and a job of prod's that two owners agreed to: it failed, was tried again and reported values.</summary>
public sealed class EvidenceFixture : IAsyncLifetime
{
    private readonly AuditKeyFile keyFile = new();
    private readonly ECDsa publicKey = ECDsa.Create();

    /// <summary>The installation's own.</summary>
    public ECDsa Key { get; } = ECDsa.Create();

    public TestDatabase Database { get; private set; } = null!;

    public TestIssuer Issuer { get; private set; } = null!;

    public ControlHost Host { get; private set; } = null!;

    public long Binding { get; private set; }

    /// <summary>The run that succeeded.</summary>
    public long Run { get; private set; }

    public DateOnly BusinessDate { get; private set; }

    public string KeyPem => keyFile.PublicPem;

    public async ValueTask InitializeAsync()
    {
        publicKey.ImportFromPem(KeyPem);
        Key.ImportFromPem(await File.ReadAllTextAsync(keyFile.Path));
        Database = await PostgresFixture.CreateDatabaseAsync();
        Issuer = await TestIssuer.SharedAsync();
        Host = await ControlHost.StartAsync(Database, Issuer, ("Audit:SigningKeyFile", keyFile.Path), ("Audit:LinkEvery", "00:00:00.02"), ("Audit:CheckpointEvery", "00:00:00"));
        await Host.PutContractAsync(SampleTexts.SimpleContract(), CancellationToken.None);
        await Host.Catalog().PutCalendarAsync(new PutCalendarRequest { Tenant = "acme", Content = "calendar: days\nweekend: []" });
        Binding = await ReleaseAsync("dso");
        (var failed, var succeeded) = await RunTwiceAsync(Binding);
        Run = succeeded.Fence.Number;
        BusinessDate = DateOnly.ParseExact(succeeded.BusinessDate, "yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture);
        _ = failed;
    }

    public AuditService.AuditServiceClient Audit(string role = "acme/*/analyst") => new(Host.Channel(Issuer.PersonToken("auditor@acme.example", role)));

    /// <summary>The lines of a bundle; waits until what it needs is signed.</summary>
    public async Task<List<string>> ExportAsync(ExportEvidenceRequest request)
    {
        var text = await Eventually.ComesAsync("what the bundle needs is signed", async token =>
        {
            try
            {
                using var stream = Audit().ExportEvidence(request, cancellationToken: token);
                var text = new StringBuilder();
                await foreach (var part in stream.ResponseStream.ReadAllAsync(token))
                    text.Append(part.Lines);
                return text.ToString();
            }
            catch (RpcException early) when (early.Info().Reason == "NOT_SIGNED_YET")
            {
                return null;
            }
        });
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        return [.. text[..^1].Split('\n')];
    }

    public EvidenceVerdict Verify(byte[] bundle) => EvidenceVerifier.Verify(bundle, [publicKey]);

    public static (EvidenceStatement, List<EvidenceDocument>) Read(IReadOnlyList<string> lines)
    {
        var payload = Convert.FromBase64String(JsonNode.Parse(lines[^1])!["payload"]!.GetValue<string>());
        return (EvidenceStatement.Read(Encoding.UTF8.GetString(payload))!, [.. lines.SkipLast(1).Select(line => EvidenceDocument.Read(line)!)]);
    }

    /// <summary>What <c>tests/evidence/verify.mjs</c> says of each.</summary>
    public async Task<string[]> SecondAsync(IEnumerable<byte[]> bundles)
    {
        var directory = Directory.CreateTempSubdirectory("kpi-evidence-");
        try
        {
            var token = TestContext.Current.CancellationToken;
            var (file, key) = (Path.Combine(directory.FullName, "bundles"), Path.Combine(directory.FullName, "key.pem"));
            await File.WriteAllTextAsync(file, string.Concat(bundles.Select(b => Convert.ToBase64String(b) + "\n")), token);
            await File.WriteAllTextAsync(key, KeyPem, token);
            using var node = Process.Start(new ProcessStartInfo("node", [Repository.File("tests", "evidence", "verify.mjs"), "--each", file, "--key", key]) { RedirectStandardOutput = true })!;
            var said = await node.StandardOutput.ReadToEndAsync(token);
            await node.WaitForExitAsync(token);
            Assert.Equal(0, node.ExitCode);
            return said.TrimEnd('\n').Split('\n');
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    public static byte[] Bytes(IEnumerable<string> lines) => Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => line + "\n")));

    /// <summary>As the installation itself could: other documents, under a statement and a signature that fit.</summary>
    public byte[] SignAnew(EvidenceStatement statement, IReadOnlyList<EvidenceDocument> documents)
    {
        var lines = documents.Select(d => d.Line).ToList();
        var payload = (statement with { Subjects = [.. documents.Zip(lines, (d, line) => EvidenceSubject.Of(d.Name, line))] }).ToBytes();
        return Bytes([.. lines, DsseEnvelope.Write(payload, ChainSignature.IdOf(Key), ChainSignature.Sign(Key, DsseEnvelope.ToSign(payload)))]);
    }

    /// <summary>Proposed by its author, agreed to by its owners, applied by a publisher.</summary>
    public async Task<long> ReleaseAsync(string jobId, string more = "")
    {
        var change = await ProposeAsync(jobId, more);
        foreach (var owner in new[] { "business", "technical" })
            await Changes(owner, $"approver_{owner}").ApproveChangeAsync(new DecideChangeRequest { ChangeId = change.ChangeId, Digest = change.Digest, Comment = "read and agreed" });
        await Changes("publisher", "publisher").ApplyChangeAsync(new ApplyChangeRequest { ChangeId = change.ChangeId });
        return change.BindingId;
    }

    public async Task<Change> ProposeAsync(string jobId, string more = "")
    {
        var created = await Host.Jobs(Person("author", "author")).CreateJobAsync(new CreateJobRequest
        {
            Environment = "prod", Content = SampleTexts.Simple(jobId, "0 5 1 1 *", more + """

            description: Ünïcode “quoted” \ and a 😀
            sla: { latency: 5m }
            alerts: [ { channel: "email:a@b.example", severity: low } ]
            retry: { max_retries: 2, backoff: none }
            """).Replace("timezone: UTC }", "timezone: UTC, calendar: days }", StringComparison.Ordinal),
        });
        return await Changes("author", "author").GetChangeAsync(new GetChangeRequest { ChangeId = created.ChangeId });
    }

    /// <summary>Triggered; the first try fails, the second reports values and where they came from.</summary>
    public async Task<(Lease Failed, Lease Succeeded)> RunTwiceAsync(long binding)
    {
        await using var agent = await TestAgent.ConnectAsync(Host.Channel(Issuer.AgentToken("agent-eu", "eu", "acme")), credit: 2);
        await Host.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = binding });
        var first = await agent.LeaseAsync();
        Assert.Equal(FinishedAck.Types.Outcome.Recorded, (await agent.FinishAsync(TestAgent.Failure(first))).Outcome);
        var second = await agent.LeaseAsync(2);
        Assert.Equal(FinishedAck.Types.Outcome.Recorded, (await agent.FinishAsync(Reported(second))).Outcome);
        return (first, second);
    }

    /// <summary>A job that needs nobody's approval, and a run of it.</summary>
    public async Task<long> RunInDevAsync(string jobId)
    {
        var created = await Host.Jobs().CreateJobAsync(new CreateJobRequest { Environment = "dev", Content = SampleTexts.Simple(jobId, "0 5 1 1 *") });
        return (await RunAsync(created.BindingId)).Fence.Number;
    }

    /// <summary>Triggered, and reported at once.</summary>
    public async Task<Lease> RunAsync(long binding, Action<Finished>? more = null)
    {
        // Of a name that no session has, which outlives its stream for a while.
        var name = $"agent-{binding}";
        await using var agent = await TestAgent.ConnectAsync(Host.Channel(Issuer.AgentToken(name, "eu", "acme")), name, credit: 1);
        await Host.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = binding });
        var lease = await agent.LeaseAsync();
        var report = Reported(lease);
        more?.Invoke(report);
        Assert.Equal(FinishedAck.Types.Outcome.Recorded, (await agent.FinishAsync(report)).Outcome);
        return lease;
    }

    public static Finished Reported(Lease lease)
    {
        var report = TestAgent.Success(lease);
        report.DataPoints = 3;
        report.Points.Add(new DataPoint { Period = "2026-01", Metric = "amount", Value = 1e21, Dimensions = { ["company_id"] = "ZÜRICH" }, Extensions = { ["MoM"] = Value.ForNumber(-0.000000123) } });
        report.Points.Add(new DataPoint { Period = "2026-02", Metric = "amount", Value = 41.10 });
        report.Points.Add(new DataPoint { Period = "2026-03", Metric = "amount", Extensions = { ["MoM"] = Value.ForNull() } });
        report.Lineage = new Lineage { SqlHash = "sha256:" + new string('a', 64), Sources = { new LineageSource { Type = "gdp", Name = "GDP_Sales", Version = "2026.03" } } };
        report.Secrets.Add(new SecretUse { Reference = "vault:warehouse/reader", Version = "7" });
        report.Stages.Add(new StageEvent { Stage = "kpi", Status = "succeeded", StartedAt = report.StartedAt, EndedAt = report.FinishedAt, InputRows = 3, OutputRows = 3 });
        return report;
    }

    public string Person(string name, string role) => Issuer.PersonToken(name, $"acme/*/{role}");

    public ChangeService.ChangeServiceClient Changes(string name, string role) => new(Host.Channel(Person(name, role)));

    public async ValueTask DisposeAsync()
    {
        foreach (var line in Host.Logs.Lines.Where(line => line.StartsWith("Error", StringComparison.Ordinal)))
            await Console.Error.WriteLineAsync(line);
        await Host.DisposeAsync();
        await InvariantCheck.HoldAsync(Database);
        await Database.DisposeAsync();
        keyFile.Dispose();
        publicKey.Dispose();
        Key.Dispose();
    }
}
