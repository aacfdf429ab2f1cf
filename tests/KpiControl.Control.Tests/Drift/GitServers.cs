using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using KpiControl.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace KpiControl.Control.Tests.Drift;

/// <summary>Git over https as hosts serve it: Kestrel in front of git's own http-backend, with Basic authentication.</summary>
public sealed class GitHttpServer : IAsyncDisposable
{
    public const string User = "ann";

    private readonly WebApplication app;

    private GitHttpServer(WebApplication app) => this.app = app;

    public string Url => app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First().Replace("127.0.0.1", "localhost", StringComparison.Ordinal);

    /// <summary>Where every call is sent on to, from now on.</summary>
    public string? RedirectsTo { get; set; }

    public static async Task<GitHttpServer> StartAsync(string root, string password, TestAuthority authority)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(System.Security.Cryptography.X509Certificates.X509CertificateLoader.LoadPkcs12(
            System.Security.Cryptography.X509Certificates.X509Certificate2.CreateFromPemFile(authority.ServerCertificateFile, authority.ServerKeyFile).Export(System.Security.Cryptography.X509Certificates.X509ContentType.Pkcs12), null))));
        var server = new GitHttpServer(builder.Build());
        server.app.Run(context => server.ServeAsync(context, root, password));
        await server.app.StartAsync();
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync();
        await app.DisposeAsync();
    }

    private async Task ServeAsync(HttpContext context, string root, string password)
    {
        if (RedirectsTo is { } other)
        {
            context.Response.Redirect(other + context.Request.Path + context.Request.QueryString);
            return;
        }
        if (context.Request.Headers.Authorization != "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{User}:{password}")))
        {
            context.Response.StatusCode = 401;
            context.Response.Headers.WWWAuthenticate = "Basic realm=\"git\"";
            return;
        }
        var start = new ProcessStartInfo("git", ["-c", "http.receivepack=true", "http-backend"]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (var (name, value) in new (string, string)[]
        {
            ("GIT_PROJECT_ROOT", root), ("GIT_HTTP_EXPORT_ALL", "1"), ("REMOTE_USER", User), ("REMOTE_ADDR", "127.0.0.1"), ("PATH_INFO", context.Request.Path.ToString()), ("REQUEST_METHOD", context.Request.Method),
            ("QUERY_STRING", context.Request.QueryString.Value?.TrimStart('?') ?? ""), ("CONTENT_TYPE", context.Request.ContentType ?? ""),
            ("HTTP_CONTENT_ENCODING", context.Request.Headers.ContentEncoding.ToString()), ("GIT_PROTOCOL", context.Request.Headers["Git-Protocol"].ToString()),
        })
            start.Environment[name] = value;
        if (context.Request.ContentLength is { } length)
            start.Environment["CONTENT_LENGTH"] = $"{length}";
        using var process = Process.Start(start)!;
        var feed = FeedAsync(context, process);
        await AnswerAsync(context, process.StandardOutput.BaseStream);
        await feed;
        await process.WaitForExitAsync();
    }

    private static async Task FeedAsync(HttpContext context, Process process)
    {
        await context.Request.Body.CopyToAsync(process.StandardInput.BaseStream);
        process.StandardInput.Close();
    }

    private static async Task AnswerAsync(HttpContext context, Stream output)
    {
        var line = new StringBuilder();
        for (int read; (read = output.ReadByte()) >= 0;)
            if (read == '\n' && line.Length == 0)
                break;
            else if (read != '\n')
                line.Append(read == '\r' ? "" : (char)read);
            else
            {
                var header = line.ToString().Split(": ", 2);
                if (header[0] == "Status")
                    context.Response.StatusCode = int.Parse(header[1][..3], System.Globalization.CultureInfo.InvariantCulture);
                else
                    context.Response.Headers[header[0]] = header[1];
                line.Clear();
            }
        await output.CopyToAsync(context.Response.Body);
    }
}

/// <summary>The system's sshd on a port of its own, for this user and one key.</summary>
public sealed class SshServer : IAsyncDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("kpi-sshd-").FullName;
    private readonly Process process;

    private SshServer(int port)
    {
        Port = port;
        foreach (var key in new[] { "host", "client", "stranger" })
            Run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", File(key));
        System.IO.File.Copy(File("client.pub"), File("authorized"));
        System.IO.File.WriteAllText(KnownHosts, $"[127.0.0.1]:{port} {System.IO.File.ReadAllText(File("host.pub"))}");
        System.IO.File.WriteAllText(File("others"), $"[127.0.0.1]:{port} {System.IO.File.ReadAllText(File("stranger.pub"))}");
        if (Environment.IsPrivilegedProcess)
            Directory.CreateDirectory("/run/sshd");
        process = Process.Start(new ProcessStartInfo("/usr/sbin/sshd",
        [
            "-D", "-e", "-f", "/dev/null", "-p", $"{port}", "-h", File("host"), "-o", "ListenAddress=127.0.0.1", "-o", $"AuthorizedKeysFile={File("authorized")}", "-o", "StrictModes=no",
            "-o", "PidFile=none", "-o", "PasswordAuthentication=no", "-o", "KbdInteractiveAuthentication=no", "-o", "PermitRootLogin=prohibit-password",
        ]) { RedirectStandardError = true })!;
        process.BeginErrorReadLine();
    }

    public int Port { get; }

    public string Key => File("client");

    public string StrangersKey => File("stranger");

    public string KnownHosts => File("known");

    /// <summary>The port is known under another host's key.</summary>
    public string OtherHosts => File("others");

    public static async Task<SshServer> StartAsync(CancellationToken token)
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        taken.Stop();
        var server = new SshServer(port);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
        limit.CancelAfter(TimeSpan.FromMinutes(1));
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!await AnswersAsync(port, limit.Token))
            await tick.WaitForNextTickAsync(limit.Token);
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
        process.Dispose();
        Directory.Delete(directory, recursive: true);
    }

    private static async Task<bool> AnswersAsync(int port, CancellationToken token)
    {
        using var socket = new TcpClient();
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port, token);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static void Run(string program, params string[] arguments)
    {
        using var run = Process.Start(program, arguments);
        run.WaitForExit();
        Assert.Equal(0, run.ExitCode);
    }

    private string File(string name) => Path.Combine(directory, name);
}
