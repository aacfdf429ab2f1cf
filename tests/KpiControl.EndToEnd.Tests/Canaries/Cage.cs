using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using KpiControl.EndToEnd.Tests.Kills;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.EndToEnd.Tests.Canaries;

/// <summary>The shipped control and agent, talking freely, among stores and endpoints full of canaries; and every place that they write or send to.</summary>
internal sealed class Cage : IAsyncDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("kpi-canary-");
    private readonly MemoryStream sent = new();
    private readonly List<Process> leaking = [];
    private TestDatabase database = null!;
    private TestIssuer issuer = null!;
    private Stores stores = null!;
    private ControlNode control = null!;
    private Wire wire = null!;
    private ShippedProcess agent = null!;
    private OtlpReceiver controlTelemetry = null!, agentTelemetry = null!;
    private long runs;

    public IReadOnlyList<Canary> Canaries => stores.Canaries;

    /// <summary>What each place must hold, or it was not looked at.</summary>
    public static IReadOnlyDictionary<string, string> Markers { get; } = new Dictionary<string, string>
    {
        ["database"] = "vault-values", ["control's log"] = "KpiControl", ["agent's log"] = "KpiControl.Agent", ["gRPC messages"] = "vault-values",
        ["control's metrics"] = "kpicontrol.runs.recorded", ["control's traces"] = "kpi_job_history", ["agent's metrics"] = "kpicontrol.agent.attempts", ["agent's traces"] = "kpicontrol.attempt_id",
        ["outbox files"] = "vault:secret/kpi/canary#value", ["evidence"] = "vault:secret/kpi/canary#value", ["command lines"] = "kpi-agent",
    };

    /// <summary>Where <see cref="LeakAsync"/> puts them.</summary>
    public static IReadOnlyList<string> Leaked { get; } = ["database", "outbox files", "gRPC messages", "agent's traces", "command lines"];

    // Of what is pushed: soon, and not when the process ends.
    private static readonly (string, string)[] PushSoon = [("OTEL_METRIC_EXPORT_INTERVAL", "200"), ("OTEL_BSP_SCHEDULE_DELAY", "200")];

    private string Outbox => Path.Combine(directory.FullName, "outbox");

    public static async Task<Cage> OpenAsync()
    {
        var cage = new Cage
        {
            database = await PostgresFixture.CreateDatabaseAsync(), issuer = await TestIssuer.StartAsync(),
            controlTelemetry = await OtlpReceiver.StartAsync("http"), agentTelemetry = await OtlpReceiver.StartAsync("http"),
        };
        cage.stores = await Stores.StartAsync(cage.directory.FullName, cage.database);
        cage.control = new ControlNode("canary", cage.directory.FullName, cage.database, cage.issuer, TimeSpan.FromSeconds(20),
            [("Logging__LogLevel__Default", "Trace"), ("Logging__LogLevel__Microsoft", "Trace"), ("KPI_Telemetry__OtlpEndpoint", cage.controlTelemetry.Url), ("KPI_Telemetry__OtlpProtocol", "http"), .. PushSoon]);
        await cage.control.StartAsync();
        cage.wire = new Wire(cage.control.Url, cage.sent);
        return cage;
    }

    /// <summary>A job for each connection, run to its end.</summary>
    public async Task RunJobsAsync()
    {
        foreach (var connection in stores.Connections)
            await new BindingSeed(database).BindAsync(BindingSeed.Job(connection, ByTheClock.Yearly, more: $"run: {{ conn_id: {connection} }}"));
        var token = stores.Write("agent-token", issuer.AgentToken("canary", "eu", "acme"));
        agent = ShippedProcess.Start("KpiControl.Agent", "kpi-agent",
        [
            ("Agent__Name", "canary"), ("Agent__Region", "eu"), ("Agent__Slots", "4"), ("Agent__ConnectionsFile", stores.ConnectionsFile),
            ("Agent__ControlPlane__Address", wire.Url), ("Agent__ControlPlane__Token", $"file:{token}"), ("Agent__Outbox__Directory", Outbox),
            ("Logging__LogLevel__Default", "Trace"), ("Logging__LogLevel__Microsoft", "Trace"), ("Logging__LogLevel__System.Net.Http", "Trace"),
            ("Agent__Telemetry__OtlpEndpoint", agentTelemetry.Url), ("Agent__Telemetry__OtlpProtocol", "http"), .. PushSoon,
            .. stores.Settings,
        ]);
        await Patience.UntilAsync("every run is in the history", async () => await FinishedAsync() >= stores.Connections.Count, agent, control.Process);
        foreach (var (job, expected) in stores.Expected)
            Assert.Equal(expected, await ScalarAsync<string>("SELECT h.status || ' ' || COALESCE(h.error_code, '') FROM kpi_job_history h JOIN kpi_job_binding b USING (binding_id) WHERE h.final AND b.job_id = $1", job));
    }

    public async Task<Dictionary<string, byte[]>> PlacesAsync()
    {
        Dictionary<string, byte[]> telemetry = [];
        await Patience.UntilAsync("both have pushed what they count and trace", () => Task.FromResult(
            (telemetry = Telemetry()).All(place => place.Value.AsSpan().IndexOf(Encoding.UTF8.GetBytes(Markers[place.Key])) >= 0)), agent, control.Process);
        return (await WrittenAsync()).Concat(telemetry).ToDictionary();
    }

    private Dictionary<string, byte[]> Telemetry() => new()
    {
        ["control's metrics"] = controlTelemetry.Bytes("/v1/metrics"), ["control's traces"] = controlTelemetry.Bytes("/v1/traces"),
        ["agent's metrics"] = agentTelemetry.Bytes("/v1/metrics"), ["agent's traces"] = agentTelemetry.Bytes("/v1/traces"),
    };

    private async Task<Dictionary<string, byte[]>> WrittenAsync() => new()
    {
        ["database"] = await DumpAsync(),
        ["control's log"] = Encoding.UTF8.GetBytes(control.Process.Output),
        ["agent's log"] = Encoding.UTF8.GetBytes(agent.Output),
        ["gRPC messages"] = sent.ToArray(),
        ["outbox files"] = await FilesAsync(Outbox),
        ["evidence"] = await EvidenceAsync(),
        ["command lines"] = CommandLines(),
    };

    /// <summary>As a careless product would.</summary>
    public async Task LeakAsync()
    {
        var all = string.Join('\n', Canaries.SelectMany(canary => canary.Forms.Values));
        await ExecuteAsync("CREATE TABLE careless AS SELECT $1::text AS said", all);
        await File.WriteAllTextAsync(Path.Combine(Outbox, "careless"), all);
        foreach (var canary in Canaries)
            leaking.Add(Process.Start(new ProcessStartInfo("sh", ["-c", "read line", canary.Value]) { RedirectStandardInput = true })!);
        using var http = new HttpClient();
        using var pushed = await http.PostAsync($"{agentTelemetry.Url}/v1/traces", new StringContent(all));
        using var careless = new System.Net.Sockets.TcpClient("127.0.0.1", new Uri(wire.Url).Port);
        await careless.GetStream().WriteAsync(Encoding.UTF8.GetBytes(all));
        await Patience.UntilAsync("it has passed the wire", () => Task.FromResult(sent.Length > 0 && Canaries[^1].FoundIn(sent.ToArray()).Any()));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in leaking)
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }
        if (agent is not null)
            await agent.DisposeAsync();
        await wire.DisposeAsync();
        await control.DisposeAsync();
        await controlTelemetry.DisposeAsync();
        await agentTelemetry.DisposeAsync();
        await stores.DisposeAsync();
        await issuer.DisposeAsync();
        await database.DisposeAsync();
        directory.Delete(recursive: true);
    }

    private Task<long> FinishedAsync() => ScalarAsync<long>("SELECT count(*) FROM kpi_job_history WHERE final");

    private async Task<byte[]> EvidenceAsync()
    {
        using var http = new HttpClient { BaseAddress = new Uri(control.RestUrl), DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", issuer.Token("admin")) } };
        var all = new StringBuilder();
        runs = await ScalarAsync<long>("SELECT max(run_id) FROM kpi_job_history");
        for (var run = 1L; run <= runs; run++)
            all.AppendLine(await http.GetStringAsync(new Uri($"/api/kpi-runs/{run}", UriKind.Relative)));
        return Encoding.UTF8.GetBytes(all.ToString());
    }

    private async Task<byte[]> DumpAsync()
    {
        var at = new NpgsqlConnectionStringBuilder(database.Superuser);
        var dump = new ProcessStartInfo("pg_dump", ["-h", at.Host!, "-p", $"{at.Port}", "-U", at.Username!, at.Database!]);
        dump.Environment["PGPASSWORD"] = at.Password;
        return await OutputAsync(dump);
    }

    private static async Task<byte[]> OutputAsync(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        using var output = new MemoryStream();
        await process.StandardOutput.BaseStream.CopyToAsync(output);
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, await errors);
        return output.ToArray();
    }

    // Not by FileStream, which would heed the lock that the agent holds on one of them.
    private static async Task<byte[]> FilesAsync(string directory) =>
        await OutputAsync(new ProcessStartInfo("find", [directory, "-type", "f", "-exec", "cat", "{}", "+"]));

    private static byte[] CommandLines()
    {
        using var all = new MemoryStream();
        foreach (var process in Directory.EnumerateDirectories("/proc").Where(path => Path.GetFileName(path).All(char.IsAsciiDigit)))
            try
            {
                all.Write(File.ReadAllBytes(Path.Combine(process, "cmdline")));
                all.WriteByte((byte)'\n');
            }
            catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
            {
                // It ended between the two looks.
            }
        return all.ToArray();
    }

    private async Task<T> ScalarAsync<T>(string sql, params object[] parameters)
    {
        await using var connection = await database.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        foreach (var value in parameters)
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        return await command.ExecuteScalarAsync() is T found ? found : default!;
    }

    private async Task ExecuteAsync(string sql, string value)
    {
        await using var connection = await database.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        command.Parameters.Add(new NpgsqlParameter { Value = value });
        await command.ExecuteNonQueryAsync();
    }
}
