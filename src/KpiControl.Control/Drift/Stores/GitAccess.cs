using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using KpiControl.Control.Hosting;
using LibGit2Sharp;
using LibGit2Sharp.Handlers;

namespace KpiControl.Control.Drift.Stores;

/// <summary>How a repository is reached: where it may be, who we are there, whom we trust; and what went wrong, in words.</summary>
internal sealed class GitAccess(StoreSettings settings)
{
    private string sshLog = "";

    /// <exception cref="StoreFaultException">The name leads nowhere, or where nothing is called.</exception>
    public async Task DemandReachableAsync(CancellationToken token)
    {
        if (settings.Url is not { } url)
            return;
        try
        {
            using var socket = await CalledAddress.ConnectAsync(url.Host, url.IsDefaultPort ? url.Scheme switch { "https" => 443, "http" => 80, _ => 22 } : url.Port, token);
        }
        catch (Exception error) when (error is IOException or SocketException)
        {
            throw new StoreFaultException($"{settings.Location} cannot be reached: {error.Message}");
        }
    }

    /// <summary>No redirect is followed: another host is one that nobody configured.</summary>
    public void Configure(Repository clone)
    {
        clone.Config.Set("http.followRedirects", "false", ConfigurationLevel.Local);
        if (settings.IsSsh)
            clone.Config.Set("core.sshCommand", SshProgram(clone.Info.Path), ConfigurationLevel.Local);
    }

    // The library starts one program and gives it no options of ours: they stand in a program of the clone's own. The store's key and host keys
    // count, and nothing that the machine's configuration says.
    private string SshProgram(string clone)
    {
        sshLog = Path.Combine(clone, "kpi-ssh.log");
        var (program, script) = (Path.Combine(clone, "kpi-ssh"), $"""
            #!/bin/sh
            exec ssh -F none -i {settings.SshKeyFile} -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile={settings.KnownHostsFile} \
              -o GlobalKnownHostsFile=none -o ConnectTimeout=10 -o ServerAliveInterval=10 -o ServerAliveCountMax=3 "$@" 2>"$0.log"

            """);
        if (File.Exists(program) && File.ReadAllText(program) == script)
            return program;
        File.WriteAllText(program, script);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return program;
    }

    public CertificateCheckHandler? CertificateCheck => settings.CaFile.Length == 0 ? null
        : (certificate, isValid, host) => isValid || (certificate is CertificateX509 { Certificate: { } shown } && IsTrusted(new X509Certificate2(shown), host));

    /// <summary>Calls with credentials, which are good for this call.</summary>
    /// <exception cref="StoreFaultException">What went wrong, in words.</exception>
    public T Call<T>(Func<CredentialsHandler, T> call)
    {
        // The library keeps nothing of an exception that is thrown while it asks but that there was one.
        var (asked, why) = (0, "");
        try
        {
            return call((_, _, _) => (why = Refusal(++asked)).Length > 0 ? throw new StoreFaultException(why)
                : new UsernamePasswordCredentials { Username = settings.User.Length > 0 ? settings.User : "git", Password = SecretReference.Read(settings.Password) });
        }
        catch (Exception error) when (error is LibGit2SharpException and not UserCancelledException or StoreFaultException)
        {
            throw new StoreFaultException(why.Length > 0 ? $"{settings.Location} {why}" : $"{settings.Location} cannot be read: {error.Message.ReplaceLineEndings(" ").Trim()}{SshSays()}");
        }
    }

    // Asked a second time, they were refused.
    private string Refusal(int asked) => settings.Password.Length == 0 ? "asks for credentials: set User and Password of the store"
        : SecretReference.Mistake(settings.Password) is { } mistake ? $"cannot be read: Password {mistake}"
        : asked > 1 ? "refuses the store's User and Password" : "";

    private string SshSays() => settings.IsSsh && File.Exists(sshLog) && File.ReadLines(sshLog).LastOrDefault(line => line.Trim().Length > 0) is { } said ? $" (ssh: {said.Trim()})" : "";

    private bool IsTrusted(X509Certificate2 shown, string host)
    {
        using var certificate = shown;
        return CertificateFile.VouchesFor(settings.CaFile, certificate) && certificate.MatchesHostname(host);
    }
}
