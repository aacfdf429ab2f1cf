using Dapper;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Signals;

public sealed class SignalServiceTests : IAsyncLifetime
{
    private TestDatabase database = null!;
    private TestIssuer issuer = null!;
    private ControlHost host = null!;
    private SignalService.SignalServiceClient signals = null!;

    public async ValueTask InitializeAsync()
    {
        database = await PostgresFixture.CreateDatabaseAsync();
        issuer = await TestIssuer.SharedAsync();
        host = await ControlHost.StartAsync(database, issuer);
        signals = new SignalService.SignalServiceClient(host.Channel());
    }

    public async ValueTask DisposeAsync()
    {
        await host.DisposeAsync();
        await database.DisposeAsync();
    }

    [Fact]
    public async Task A_publish_wakes_who_waits_and_its_repeat_answers_the_same()
    {
        await WaitAsync("signal", "erp");
        var request = new PublishSignalRequest { Tenant = "acme", Name = "erp", BusinessDate = "2026-01-01", RequestId = Guid.CreateVersion7().ToString() };
        var first = await signals.PublishSignalAsync(request);
        var again = await signals.PublishSignalAsync(request);

        Assert.Equal(1, first.Woken);
        Assert.Equal(first, again);
        Assert.Equal(1, await CountAsync("kpi_signal"));
        Assert.Equal(1, await CountAsync("kpi_audit WHERE object_kind = 'signal'"));
        var reused = await Assert.ThrowsAsync<RpcException>(() => signals.PublishSignalAsync(new(request) { Name = "other" }).ResponseAsync);
        Assert.Equal(StatusCode.FailedPrecondition, reused.StatusCode);
    }

    [Fact]
    public async Task A_refresh_is_published_once_a_run_and_another_under_its_name_is_refused()
    {
        await WaitAsync("gdp", "GDP_Sales");
        var request = new PublishRefreshRequest
        {
            Tenant = "acme", Dataset = "GDP_Sales", RunId = "load-1", DataThrough = Timestamp.FromDateTimeOffset(new DateTimeOffset(2026, 1, 2, 0, 0, 0, TimeSpan.Zero)),
        };
        var first = await signals.PublishRefreshAsync(request);
        var again = await signals.PublishRefreshAsync(request);

        Assert.Equal((1, 0), (first.Woken, again.Woken));
        Assert.Equal(first.RefreshId, again.RefreshId);
        var other = await Assert.ThrowsAsync<RpcException>(() => signals.PublishRefreshAsync(new(request) { Version = "2" }).ResponseAsync);
        Assert.Equal(StatusCode.AlreadyExists, other.StatusCode);
    }

    [Fact]
    public async Task A_rehearsed_publish_changes_nothing()
    {
        await WaitAsync("signal", "erp");
        var answer = await signals.PublishSignalAsync(new PublishSignalRequest { Tenant = "acme", Name = "erp", BusinessDate = "2026-01-01", ValidateOnly = true });
        Assert.Equal(0, answer.Woken);
        Assert.Equal(0, await CountAsync("kpi_signal"));
        Assert.Equal(1, await CountAsync("kpi_job_runtime WHERE occ_state = 'W'"));
    }

    [Theory]
    [InlineData("", "erp", "", "", "", StatusCode.OK)]
    [InlineData("acme", "", "", "", "", StatusCode.InvalidArgument)]
    [InlineData("acme", "1; DROP", "", "", "", StatusCode.InvalidArgument)]
    [InlineData("acme", "erp", "test", "", "", StatusCode.InvalidArgument)]
    [InlineData("acme", "erp", "dev", "mars", "", StatusCode.InvalidArgument)]
    [InlineData("acme", "erp", "dev", "", "2026-02-30", StatusCode.InvalidArgument)]
    [InlineData("globex", "erp", "dev", "", "", StatusCode.NotFound)]
    [InlineData("nobody", "erp", "dev", "", "", StatusCode.NotFound)]
    public async Task What_a_publish_says_is_checked(string tenant, string name, string environment, string region, string date, StatusCode expected)
    {
        var call = signals.PublishSignalAsync(new PublishSignalRequest { Tenant = tenant, Name = name, Environment = environment, Region = region, BusinessDate = date });
        var code = StatusCode.OK;
        try { await call; }
        catch (RpcException refused) { code = refused.StatusCode; }
        Assert.Equal(expected, code);
    }

    [Fact]
    public async Task Facts_are_listed_newest_first_in_pages_and_only_to_their_tenant()
    {
        for (var n = 0; n < 5; n++)
            await signals.PublishSignalAsync(new PublishSignalRequest { Tenant = "acme", Name = $"s{n}" });
        await signals.PublishRefreshAsync(new PublishRefreshRequest { Tenant = "acme", Dataset = "GDP_X", RunId = "1", DataThrough = new Timestamp { Seconds = 1 } });

        var names = new List<string>();
        var request = new ListSignalsRequest { PageSize = 2 };
        do
        {
            var page = await signals.ListSignalsAsync(request);
            names.AddRange(page.Facts.Select(f => f.Name));
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);

        Assert.Equal(["GDP_X", "s4", "s3", "s2", "s1", "s0"], names);
        var stranger = new SignalService.SignalServiceClient(host.Channel(issuer.Token("other-tenant")));
        Assert.Empty((await stranger.ListSignalsAsync(new ListSignalsRequest())).Facts);
    }

    private async Task WaitAsync(string type, string name)
    {
        await using var connection = await database.OpenAsync();
        await connection.ExecuteAsync("""
            INSERT INTO kpi_job_def (content_hash, format, content, schema_version, tenant_id, canonical_json, created_by)
            VALUES ('sha256:' || repeat('0', 64), 'yaml', '', '1.0', 'acme', '{}', 'test');
            INSERT INTO kpi_job_binding (def_id, tenant_id, environment, region, job_id, kpi_id, contract_version, schedule_cron, timezone, created_by)
            SELECT def_id, 'acme', 'dev', 'eu', 'dso', 'K', '1.0.0', '0 2 * * *', 'UTC', 'test' FROM kpi_job_def;
            INSERT INTO kpi_job_dependency (binding_id, dep_type, dep_value, tenant_id) SELECT binding_id, @type, @name, 'acme' FROM kpi_job_binding;
            INSERT INTO kpi_job_runtime (binding_id, lane, tenant_id, occ_state, occ_kind, occ_scheduled_for, occ_window_start, occ_business_date)
            SELECT binding_id, 1, 'acme', 'W', 0, '2026-01-02T02:00:00Z', '2026-01-01T02:00:00Z', '2026-01-01' FROM kpi_job_binding;
            """, new { type, name });
        var binding = await connection.ExecuteScalarAsync<long>("SELECT binding_id FROM kpi_job_binding");
        await ((KpiControl.Control.Signals.DependencyWaits)host.Services.GetService(typeof(KpiControl.Control.Signals.DependencyWaits))!).BeginAsync([binding], CancellationToken.None);
    }

    private async Task<int> CountAsync(string from)
    {
        await using var connection = await database.OpenAsync();
        return await connection.ExecuteScalarAsync<int>($"SELECT count(*)::int FROM {from}");
    }
}
