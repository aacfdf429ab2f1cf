using System.Diagnostics;
using System.Text.Json;
using System.Threading.Channels;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Alerts;

/// <summary>npm's smtp-server, with STARTTLS and AUTH; installed from its lock file where it is not there yet.</summary>
internal sealed class SmtpServer : IAsyncDisposable
{
    private readonly Process process;
    private readonly Channel<Mail> mails = Channel.CreateUnbounded<Mail>();

    private SmtpServer(Process process) => this.process = process;

    public int Port { get; private set; }

    public static async Task<SmtpServer> StartAsync(TestAuthority authority)
    {
        var folder = Repository.File("tests", "smtp");
        if (!Directory.Exists(Path.Combine(folder, "node_modules", "smtp-server")))
        {
            using var install = Process.Start(new ProcessStartInfo("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]) { WorkingDirectory = folder })!;
            await install.WaitForExitAsync();
            Assert.Equal(0, install.ExitCode);
        }
        // It ends with its input, and so with this process.
        var start = new ProcessStartInfo("node", ["sink.cjs", authority.ServerKeyFile, authority.ServerCertificateFile])
        {
            WorkingDirectory = folder, RedirectStandardInput = true, RedirectStandardOutput = true,
        };
        var server = new SmtpServer(Process.Start(start)!);
        server.Port = int.Parse((await server.process.StandardOutput.ReadLineAsync())!, System.Globalization.CultureInfo.InvariantCulture);
        _ = server.ReadAsync();
        return server;
    }

    public (string Key, string Value)[] Settings(TestAuthority authority, string password) =>
    [
        ("Alerts:Channels:acme:Email:Host", "127.0.0.1"), ("Alerts:Channels:acme:Email:Port", $"{Port}"), ("Alerts:Channels:acme:Email:User", "u"),
        ("Alerts:Channels:acme:Email:Password", password), ("Alerts:Channels:acme:Email:From", "kpi@acme.example"), ("Alerts:Channels:acme:Email:CaFile", authority.CertificateFile),
        ("Alerts:Channels:acme:Email:Domains:0", "acme.example"),
    ];

    public async Task<Mail> NextAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        return await mails.Reader.ReadAsync(limit.Token);
    }

    private async Task ReadAsync()
    {
        while (await process.StandardOutput.ReadLineAsync() is { } line)
            mails.Writer.TryWrite(JsonSerializer.Deserialize<Mail>(line, JsonSerializerOptions.Web)!);
    }

    public async ValueTask DisposeAsync()
    {
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        process.Dispose();
    }
}

internal sealed record Mail(string User, bool Tls, string From, string[] To, string Raw);
