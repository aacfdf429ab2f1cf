using System.Security.Cryptography;
using System.Text;
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
        Database = await PostgresFixture.CreateDatabaseAsync();
        Issuer = await TestIssuer.StartAsync();
        Host = await ControlHost.StartAsync(Database, Issuer, ("Audit:SigningKeyFile", keyFile.Path), ("Audit:LinkEvery", "00:00:00.02"), ("Audit:CheckpointEvery", "00:00:00"));
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
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (true)
            try
            {
                using var stream = Audit().ExportEvidence(request, cancellationToken: patience.Token);
                var text = new StringBuilder();
                await foreach (var part in stream.ResponseStream.ReadAllAsync(patience.Token))
                    text.Append(part.Lines);
                Assert.EndsWith("\n", text.ToString(), StringComparison.Ordinal);
                return [.. text.ToString()[..^1].Split('\n')];
            }
            catch (RpcException early) when (early.Info().Reason == "NOT_SIGNED_YET")
            {
                patience.Token.ThrowIfCancellationRequested();
            }
    }

    public EvidenceVerdict Verify(byte[] bundle)
    {
        using var key = ECDsa.Create();
        key.ImportFromPem(KeyPem);
        return EvidenceVerifier.Verify(bundle, [key]);
    }

    public static byte[] Bytes(IEnumerable<string> lines) => Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => line + "\n")));

    /// <summary>As the installation itself could: other documents, under a statement and a signature that fit.</summary>
    public byte[] SignAnew(EvidenceStatement statement, IReadOnlyList<EvidenceDocument> documents)
    {
        using var key = ECDsa.Create();
        key.ImportFromPem(File.ReadAllText(keyFile.Path));
        var lines = documents.Select(d => d.Line).ToList();
        var payload = (statement with { Subjects = [.. documents.Zip(lines, (d, line) => EvidenceSubject.Of(d.Name, line))] }).ToBytes();
        return Bytes([.. lines, DsseEnvelope.Write(payload, ChainSignature.IdOf(key), ChainSignature.Sign(key, DsseEnvelope.ToSign(payload)))]);
    }

    /// <summary>Proposed by its author, agreed to by its owners, applied by a publisher.</summary>
    public async Task<long> ReleaseAsync(string jobId, string more = "")
    {
        await Host.PutContractAsync(SampleTexts.SimpleContract(), CancellationToken.None);
        var created = await Host.Jobs(Person("author", "author")).CreateJobAsync(new CreateJobRequest
        {
            Environment = "prod", Content = SampleTexts.Simple(jobId, "0 5 1 1 *", $"""
            description: Ünïcode “quoted” \ and a 😀
            sla: {"{"} latency: 5m {"}"}
            alerts: [ {"{"} channel: "email:a@b.example", severity: low {"}"} ]
            retry: {"{"} max_retries: 2, backoff: none {"}"}
            {more}
            """),
        });
        var change = await Changes("author", "author").GetChangeAsync(new GetChangeRequest { ChangeId = created.ChangeId });
        foreach (var owner in new[] { "business", "technical" })
            await Changes(owner, $"approver_{owner}").ApproveChangeAsync(new DecideChangeRequest { ChangeId = change.ChangeId, Digest = change.Digest, Comment = "read and agreed" });
        await Changes("publisher", "publisher").ApplyChangeAsync(new ApplyChangeRequest { ChangeId = created.ChangeId });
        return created.BindingId;
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

    private ChangeService.ChangeServiceClient Changes(string name, string role) => new(Host.Channel(Person(name, role)));

    public async ValueTask DisposeAsync()
    {
        foreach (var line in Host.Logs.Lines.Where(line => line.StartsWith("Error", StringComparison.Ordinal)))
            await Console.Error.WriteLineAsync(line);
        await Host.DisposeAsync();
        await Issuer.DisposeAsync();
        await InvariantCheck.HoldAsync(Database);
        await Database.DisposeAsync();
        keyFile.Dispose();
    }
}
