using System.Diagnostics;

namespace KpiControl.Control.Tests.Drift;

/// <summary>Somebody's <c>gpg</c> with keys of its own, made at run time; gone with the test.</summary>
public sealed class GnuPg : IDisposable
{
    public static readonly DateTimeOffset LongAgo = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly string home = Directory.CreateTempSubdirectory("kpi-gpg-").FullName;

    /// <returns>Its fingerprint.</returns>
    public string Key(string name, string algorithm = "ed25519", string expires = "never", string use = "sign", DateTimeOffset? at = null, params string[] more)
    {
        Run(at, "", [.. more, "--quick-generate-key", $"{name} <{name}@example.com>", algorithm, use, expires]);
        return Fingerprints(name)[0];
    }

    /// <returns>The fingerprint of a subkey that signs, followed by an !, so that gpg takes no other.</returns>
    public string Subkey(string name, string key, string algorithm = "ed25519", string expires = "never", string use = "sign")
    {
        Run(null, "", "--quick-add-key", key, algorithm, use, expires);
        return $"{Fingerprints(name)[^1]}!";
    }

    /// <summary>By the certificate that gpg made with the key.</summary>
    public void Revoke(string key)
    {
        var certificate = Path.Combine(home, "openpgp-revocs.d", $"{key}.rev");
        File.WriteAllText(certificate, File.ReadAllText(certificate).Replace(":-----BEGIN", "-----BEGIN", StringComparison.Ordinal));
        Run(null, "", "--import", certificate);
    }

    public void RevokeSubkey(string key) => Run(null, "key 1\nrevkey\ny\n0\n\ny\nsave\n", "--command-fd", "0", "--no-tty", "--edit-key", key);

    /// <summary>A program that signs as git wants it, with more options.</summary>
    public string Program(params string[] options)
    {
        var script = Path.Combine(home, $"gpg-{Guid.NewGuid():N}");
        File.WriteAllText(script, $"#!/bin/sh\nexec gpg --homedir {home} --batch --quiet {string.Join(' ', options)} \"$@\"\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return script;
    }

    /// <summary>The public keys in a file of their own, armoured.</summary>
    public string Export(params string[] keys)
    {
        var file = Path.Combine(home, $"{Guid.NewGuid():N}.asc");
        File.WriteAllText(file, Run(null, "", ["--export", "--armor", .. keys]));
        return file;
    }

    public string ExportPrivate(string key)
    {
        var file = Path.Combine(home, "private.asc");
        File.WriteAllText(file, Run(null, "", "--export-secret-keys", "--armor", key));
        return file;
    }

    public static string FakedTime(DateTimeOffset at) => FormattableString.Invariant($"--faked-system-time={at.ToUnixTimeSeconds()}!");

    public void Dispose()
    {
        using (var agent = Process.Start("gpgconf", ["--homedir", home, "--kill", "all"]))
            agent.WaitForExit();
        Directory.Delete(home, recursive: true);
    }

    private string[] Fingerprints(string name) =>
        [.. Run(null, "", "--list-keys", "--with-colons", $"{name}@example.com").Split('\n').Where(line => line.StartsWith("fpr:", StringComparison.Ordinal)).Select(line => line.Split(':')[9])];

    private string Run(DateTimeOffset? at, string input, params string[] arguments)
    {
        string[] all = ["--homedir", home, .. input.Length == 0 ? ["--batch"] : Array.Empty<string>(), "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", .. at is { } when ? [FakedTime(when)] : Array.Empty<string>(), .. arguments];
        using var process = Process.Start(new ProcessStartInfo("gpg", all) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"gpg {string.Join(' ', arguments)}: {error.GetAwaiter().GetResult()}");
    }
}
