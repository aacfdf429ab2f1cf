using System.ComponentModel.DataAnnotations;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using KpiControl.Control.Database;
using KpiControl.Control.Hosting;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Hosting;

public sealed class StartupTests
{
    [Fact]
    public async Task Mistakes_in_several_sections_are_told_at_once_each_once()
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync(TestContext.Current.CancellationToken);
        var issuer = await TestIssuer.SharedAsync();
        using var key = new AuditKeyFile();
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(key.Path, UnixFileMode.UserRead | UnixFileMode.OtherRead);

        var error = await Assert.ThrowsAnyAsync<Exception>(() => ControlHost.StartAsync(database, issuer,
            ("Audit:SigningKeyFile", key.Path), ("Ca:KeyFile", key.Path), ("Ca:CertificateFile", "/nowhere.crt"), ("Listen:Grpc", "nonsense"), ("Listen:CertificateKeyFile", key.Path)));

        Assert.Equal(
        [
            $"Audit:SigningKeyFile '{key.Path}' is open to every user of this machine: chmod 600",
            "Ca: the file '/nowhere.crt' does not exist",
            $"Ca:KeyFile '{key.Path}' is open to every user of this machine: whoever reads it can make agents. chmod 600 it",
            "Listen:CertificateFile and Listen:CertificateKeyFile go together: one of them is missing",
            $"Listen:CertificateKeyFile '{key.Path}' is open to every user of this machine: whoever reads it can pass for this control plane. chmod 640 or 600 it (in Kubernetes: defaultMode 0440)",
            "Listen:Grpc 'nonsense' is not an address like http://127.0.0.1:7400",
        ], Startup.Mistakes(error).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_process_that_lacks_its_settings_says_which_in_a_line_each_and_nothing_else()
    {
        var (exit, output, errors) = await RunAsync(("Listen__Rest", "nonsense"), ("Database__Requests", null), ("Database__Scheduler", null), ("Authentication__Issuer", null));

        Assert.Equal((1, ""), (exit, output));
        Assert.Equal(
        [
            "kpi-control: Authentication:Issuer is missing: the URL of the OpenID Connect issuer",
            "kpi-control: Database:Requests is missing: the connection string of a member of kpi_requests",
            "kpi-control: Database:Scheduler is missing: the connection string of a member of kpi_scheduler",
            "kpi-control: Listen:Rest 'nonsense' is not an address like http://127.0.0.1:7400",
        ], errors.Split('\n').Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("Host=db.example;Username=kpi;Password=canary-7d", "leads off this machine and does not verify the server")]
    [InlineData("Host=127.0.0.1,db.example:5433;Password=canary-7d;SSL Mode=Require", "leads off this machine and does not verify the server")]
    [InlineData("postgresql://kpi:canary-7d@db.example/kpi?sslmode=require", "is no connection string of Npgsql")]
    [InlineData("Host=127.0.0.1;Port=canary-7d", "is no connection string of Npgsql")]
    public async Task A_connection_string_that_is_unsafe_or_none_is_refused_without_what_stands_in_it(string text, string words)
    {
        var (exit, output, errors) = await RunAsync(("Authentication__Issuer", "http://127.0.0.1:1"), ("Database__Requests", text), ("Database__Scheduler", text), ("Database__Migrations", text));

        Assert.Equal((1, ""), (exit, output));
        Assert.Equal(["Migrations", "Requests", "Scheduler"], errors.Split('\n').Order(StringComparer.Ordinal).Select(line => line["kpi-control: Database:".Length..].Split(' ')[0]));
        Assert.All(errors.Split('\n'), line => Assert.Contains(words, line, StringComparison.Ordinal));
        Assert.DoesNotContain("canary", errors, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("Host=127.0.0.1;Database=kpi")]
    [InlineData("Host=[::1]:5433,localhost:5432;Database=kpi")]
    [InlineData("Host=/var/run/postgresql;Database=kpi")]
    [InlineData("Host=db.example;Database=kpi;SSL Mode=VerifyFull")]
    public void A_connection_string_of_this_machine_or_that_verifies_is_taken(string text)
    {
        var options = new DatabaseOptions { Requests = text, Scheduler = text };
        Assert.Empty(options.Validate(new ValidationContext(options)));
    }

    [Fact]
    public async Task A_database_that_is_away_and_a_port_in_use_are_a_line_each_and_no_trace()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        await using var database = await PostgresFixture.CreateDatabaseAsync(TestContext.Current.CancellationToken);
        var issuer = await TestIssuer.SharedAsync();

        var away = await RunAsync([.. Settings(issuer, "http://127.0.0.1:0"), ("Database__Requests", $"Host=127.0.0.1;Port={port};Timeout=1"), ("Database__Scheduler", $"Host=127.0.0.1;Port={port};Timeout=1")]);
        Assert.Equal((1, ""), (away.Exit, away.Output));
        Assert.StartsWith("kpi-control: the database refused: ", away.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', away.Errors);

        var inUse = await RunAsync([.. Settings(issuer, $"http://127.0.0.1:{port}"), ("Database__Requests", database.Requests), ("Database__Scheduler", database.Scheduler)]);
        Assert.Equal(1, inUse.Exit);
        Assert.DoesNotContain("   at ", inUse.Output);
        Assert.DoesNotContain(" fail: ", inUse.Output);
        Assert.Equal($"kpi-control: Failed to bind to address http://127.0.0.1:{port}: address already in use. Check Listen:Grpc and Listen:Rest.", inUse.Errors);
    }

    private static (string Key, string? Value)[] Settings(TestIssuer issuer, string rest) => [("Authentication__Issuer", issuer.Url), ("Listen__Grpc", "http://127.0.0.1:0"), ("Listen__Rest", rest)];

    /// <summary>The shipped executable with these settings, until it ends by itself.</summary>
    private static async Task<(int Exit, string Output, string Errors)> RunAsync(params (string Key, string? Value)[] settings)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "kpi-control.dll")])
        {
            WorkingDirectory = AppContext.BaseDirectory, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        foreach (var (key, value) in settings)
            start.Environment[$"KPI_{key}"] = value;
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output, (await errors).TrimEnd());
    }

    [Theory]
    [InlineData(0x0302, "a TLS 1.1 client is refused")]
    [InlineData(0x0301, "a TLS 1.0 client is refused")]
    public async Task Below_TLS_1_2_there_is_no_handshake(int version, string what)
    {
        Assert.NotEmpty(what);
        await using var database = await PostgresFixture.CreateDatabaseAsync(TestContext.Current.CancellationToken);
        var issuer = await TestIssuer.SharedAsync();
        using var authority = new TestAuthority();
        await using var host = await ControlHost.StartAsync(database, issuer, authority, _ => { });
        foreach (var url in new[] { host.GrpcUrl, host.RestUrl, host.AgentsUrl })
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", new Uri(url).Port, TestContext.Current.CancellationToken);
            await client.GetStream().WriteAsync(ClientHello((byte)(version >> 8), (byte)version), TestContext.Current.CancellationToken);
            var alert = new byte[7];
            await client.GetStream().ReadExactlyAsync(alert, TestContext.Current.CancellationToken);
            // An alert (21), fatal (2): protocol_version (70).
            Assert.Equal((21, 2, 70), (alert[0], alert[5], alert[6]));
        }
    }

    // As an old client writes it, by hand: today's libraries no longer do.
    private static byte[] ClientHello(byte major, byte minor)
    {
        byte[] suites = [0xC0, 0x0A, 0xC0, 0x09, 0xC0, 0x14, 0xC0, 0x13, 0x00, 0x35, 0x00, 0x2F];
        byte[] extensions = [0x00, 0x0A, 0x00, 0x04, 0x00, 0x02, 0x00, 0x17, 0x00, 0x0B, 0x00, 0x02, 0x01, 0x00];
        byte[] hello = [major, minor, .. new byte[32], 0, 0, (byte)suites.Length, .. suites, 1, 0, 0, (byte)extensions.Length, .. extensions];
        return [22, 3, 1, 0, (byte)(hello.Length + 4), 1, 0, 0, (byte)hello.Length, .. hello];
    }
}
