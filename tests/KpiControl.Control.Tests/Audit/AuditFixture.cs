using System.Security.Cryptography;
using System.Text;
using Dapper;
using Grpc.Core;
using KpiControl.Control.Audit;
using KpiControl.Control.Database;
using KpiControl.Jobs.Evidence;
using KpiControl.Protocol.V1;
using KpiControl.Testing;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KpiControl.Control.Tests.Audit;

/// <summary>A node that signs with a key made here and links only when a test says so; a tenant that did something.</summary>
public sealed class AuditFixture : IAsyncLifetime
{
    private readonly AuditKeyFile keyFile = new();
    private TestIssuer issuer = null!;
    private ChainStore store = null!;

    public TestDatabase Database { get; private set; } = null!;

    public ControlHost Host { get; private set; } = null!;

    internal Control.Audit.AuditKey Key { get; private set; } = null!;

    public ECDsa PublicKey { get; } = ECDsa.Create();

    public async ValueTask InitializeAsync()
    {
        Database = await PostgresFixture.CreateDatabaseAsync();
        issuer = await TestIssuer.SharedAsync();
        Host = await ControlHost.StartAsync(Database, issuer, ("Audit:SigningKeyFile", keyFile.Path), ("Audit:LinkEvery", "00:03:00"));
        var databases = new Databases(Options.Create(new DatabaseOptions { Requests = Database.Requests, Scheduler = Database.Scheduler, PoolSize = 8 }));
        store = new ChainStore(databases);
        Key = new Control.Audit.AuditKey(Options.Create(new AuditOptions { SigningKeyFile = keyFile.Path }));
        PublicKey.ImportFromPem(Key.PublicPem);
        for (var i = 0; i < 3; i++)
        {
            await ActAsync($"job_{i}");
            await LinkAsync();
        }
    }

    internal ChainStore Store => store;

    public Protocol.V1.AuditService.AuditServiceClient Client(params string[] roles) =>
        new(Host.Channel(issuer.PersonToken("auditor@acme.example", roles.Length > 0 ? roles : ["acme/*/auditor"])));

    /// <summary>An author creates, an operator pauses, resumes, triggers and cancels: audit rows, and a run's row.</summary>
    public async Task ActAsync(string job)
    {
        var id = (await Host.CreateSimpleAsync(CancellationToken.None, job)).BindingId;
        await Host.Jobs().PauseJobAsync(new PauseJobRequest { BindingId = id, Reason = "closing “the books”\n\tof Zürich 😀" });
        await Host.Jobs().ResumeJobAsync(new ResumeJobRequest { BindingId = id });
        await Host.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = id });
        await Host.Jobs().CancelOccurrenceAsync(new CancelOccurrenceRequest { BindingId = id });
    }

    /// <summary>Links and signs all that waits.</summary>
    internal async Task<int> LinkAsync()
    {
        var rows = 0;
        for (var pass = await store.LinkAsync(default); pass.Rows > 0; pass = await store.LinkAsync(default))
            rows += pass.Rows;
        await store.SignAsync(Key, TimeSpan.Zero, default);
        return rows;
    }

    public async Task<List<string>> ExportAsync(long from = 0)
    {
        using var stream = Client().ExportAudit(new ExportAuditRequest { Tenant = "acme", FromSeq = from });
        var text = new StringBuilder();
        await foreach (var part in stream.ResponseStream.ReadAllAsync(CancellationToken.None))
            text.Append(part.Lines.ToStringUtf8());
        Assert.EndsWith("\n", text.ToString(), StringComparison.Ordinal);
        return [.. text.ToString().TrimEnd('\n').Split('\n')];
    }

    public IReadOnlyList<string> Verify(IEnumerable<string> lines, params ChainCheckpoint[] kept)
    {
        var verifier = new ExportVerifier([PublicKey], kept);
        foreach (var line in lines)
            verifier.Read(line);
        verifier.End();
        return verifier.Findings;
    }

    /// <summary>As somebody who owns the database and has switched its guards off; what was there is put back by <paramref name="undo"/>.</summary>
    public async Task TamperAsync(string sql, string undo, Func<Task> look)
    {
        await using var connection = new NpgsqlConnection(Database.Superuser);
        await connection.OpenAsync();
        await connection.ExecuteAsync($"SET session_replication_role = replica; {sql}");
        await look();
        await connection.ExecuteAsync(undo);
    }

    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync();
        await Database.DisposeAsync();
        Key.Dispose();
        PublicKey.Dispose();
        keyFile.Dispose();
    }
}
