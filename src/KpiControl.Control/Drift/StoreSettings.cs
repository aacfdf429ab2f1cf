using System.Text.RegularExpressions;
using KpiControl.Control.Hosting;
using KpiControl.Control.Tenants;
using KpiControl.Jobs.Calls;

namespace KpiControl.Control.Drift;

/// <summary>One store: whose artifacts, of which environment, and how they are reached. Secrets are references, <c>env:NAME</c> or <c>file:/path</c>.</summary>
internal sealed partial class StoreSettings
{
    private static readonly string[] Everything = ["**/*.yaml", "**/*.yml", "**/*.json"];

    public string Tenant { get; set; } = "";

    /// <summary>dev, stg or prod: bindings there are compared with what the store holds.</summary>
    public string Environment { get; set; } = "";

    /// <summary>git or directory.</summary>
    public string Kind { get; set; } = "";

    /// <summary>Git: https://host/path, ssh://user@host/path or an absolute path. A directory: an absolute path.</summary>
    public string Location { get; set; } = "";

    /// <summary>Git alone.</summary>
    public string Branch { get; set; } = "main";

    /// <summary>Which files are artifacts, as <c>jobs/**/*.yaml</c>; with <c>!</c> before it: which are not. Absent: every .yaml, .yml and .json. What begins with a dot is none.</summary>
    public List<string> Paths { get; set; } = [];

    /// <summary>Git over https: the user; many hosts take any beside a token.</summary>
    public string User { get; set; } = "";

    /// <summary>Git over https: a reference to the password or token; read at each use.</summary>
    public string Password { get; set; } = "";

    /// <summary>Git over https: PEM certificates that are trusted beside the system's.</summary>
    public string CaFile { get; set; } = "";

    /// <summary>Git over ssh: the private key's file.</summary>
    public string SshKeyFile { get; set; } = "";

    /// <summary>Git over ssh: the host keys that are accepted, and no others.</summary>
    public string KnownHostsFile { get; set; } = "";

    public bool IsGit => Kind == "git";

    public IReadOnlyList<string> Patterns => Paths.Count > 0 ? Paths : Everything;

    public Uri? Url => Location.Contains("://", StringComparison.Ordinal) && Uri.TryCreate(Location, UriKind.Absolute, out var url) ? url : null;

    public bool IsSsh => IsGit && Url?.Scheme == "ssh";

    /// <returns>Each to be read after the store's name.</returns>
    public IEnumerable<string> Mistakes()
    {
        if (!TenantSettings.IsTenant(Tenant))
            yield return $":Tenant '{Tenant}' is not a tenant's name";
        if (Environment is not ("dev" or "stg" or "prod"))
            yield return $":Environment '{Environment}' is none of dev, stg and prod";
        if (Kind is not ("git" or "directory"))
            yield return $":Kind '{Kind}' is neither git nor directory";
        foreach (var pattern in Paths.Where(p => p.TrimStart('!') is var plain && (plain.Length == 0 || plain.StartsWith('/') || plain.Split('/').Contains(".."))))
            yield return $":Paths '{pattern}' is not a pattern within the store, like jobs/**/*.yaml";
        if (Paths.Count > 0 && Paths.TrueForAll(p => p.StartsWith('!')))
            yield return ":Paths says only what is no artifact: begin with what is, like **/*.yaml";
        foreach (var mistake in IsGit ? GitMistakes() : Path.IsPathRooted(Location) ? [] : [$":Location '{Location}' is not an absolute path"])
            yield return mistake;
    }

    private IEnumerable<string> GitMistakes()
    {
        if (!BranchName().IsMatch(Branch) || Branch.Contains("..", StringComparison.Ordinal))
            yield return $":Branch '{Branch}' is not a branch's name";
        if (Url is { } url)
            foreach (var mistake in UrlMistakes(url))
                yield return mistake;
        else if (!Path.IsPathRooted(Location))
            yield return $":Location '{Location}' is neither https://…, ssh://… nor an absolute path";
    }

    private IEnumerable<string> UrlMistakes(Uri url)
    {
        // The text is not shown: what stands before the @ may be a password.
        if (url.UserInfo.Contains(':', StringComparison.Ordinal) || (url.UserInfo.Length > 0 && url.Scheme != "ssh"))
            yield return ":Location holds a credential: set User, and Password to a reference";
        else if (url.Scheme == "http" && !CallableAddresses.NamesLoopback(url.Host))
            yield return $":Location '{Location}' is not encrypted: use https or ssh; plain http is for loopback alone";
        else if (url.Scheme is not ("https" or "http" or "ssh"))
            yield return $":Location '{Location}' is neither https://…, ssh://… nor an absolute path";
        if (Password.Length > 0 && SecretReference.Mistake(Password) is { } mistake)
            yield return $":Password {mistake}";
        if (CaFile.Length > 0 && !File.Exists(CaFile))
            yield return $":CaFile '{CaFile}' does not exist";
        if (url.Scheme == "ssh")
            foreach (var ssh in SshMistakes())
                yield return ssh;
    }

    private IEnumerable<string> SshMistakes()
    {
        foreach (var (name, file) in new[] { (nameof(SshKeyFile), SshKeyFile), (nameof(KnownHostsFile), KnownHostsFile) })
            if (!PlainPath().IsMatch(file))
                yield return $":{name} '{file}' is not an absolute path without blanks and quotes: ssh needs it";
            else if (!File.Exists(file))
                yield return $":{name} '{file}' does not exist";
        if (File.Exists(SshKeyFile) && KeyFile.IsOpenToOthers(SshKeyFile))
            yield return $":SshKeyFile '{SshKeyFile}' is open to every user of this machine: chmod 600 it";
        if (!HasSsh())
            yield return ":Location needs the program ssh, which is not on the PATH: install openssh-client, or use https";
    }

    private static bool HasSsh() => (System.Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => folder.Length > 0 && File.Exists(Path.Combine(folder, "ssh")));

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}\z", RegexOptions.CultureInvariant)]
    private static partial Regex BranchName();

    [GeneratedRegex(@"^/[A-Za-z0-9._/@+-]+\z", RegexOptions.CultureInvariant)]
    private static partial Regex PlainPath();
}
