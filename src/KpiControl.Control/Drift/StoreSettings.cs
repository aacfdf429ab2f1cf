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

    /// <summary>git, directory, s3 or azure-blob.</summary>
    public string Kind { get; set; } = "";

    /// <summary>Git: https://host/path, ssh://user@host/path or an absolute path. A directory: an absolute path. S3 and Azure Blob: the bucket or container, then /prefix.</summary>
    public string Location { get; set; } = "";

    /// <summary>Git alone.</summary>
    public string Branch { get; set; } = "main";

    /// <summary>Which files are artifacts, as <c>jobs/**/*.yaml</c>; with <c>!</c> before it: which are not. Absent: every .yaml, .yml and .json. What begins with a dot is none.</summary>
    public List<string> Paths { get; set; } = [];

    /// <summary>What is put in force is written to the store where it has the job; false: people alone write there, and roll-backs.</summary>
    public bool WritesApplied { get; set; } = true;

    /// <summary>Where a job is written that no store of the tenant and environment has, as <c>jobs/{job_id}.yaml</c>; empty: it is not.</summary>
    public string NewJobs { get; set; } = "";

    /// <summary>Git: whose signatures a commit must have, in the form of ssh-keygen's ALLOWED SIGNERS; empty, and the next one too: none is asked for.</summary>
    public string AllowedSignersFile { get; set; } = "";

    /// <summary>Git: whose OpenPGP signatures a commit may have as well, or alone: armoured public keys, as gpg exports them.</summary>
    public string OpenPgpKeysFile { get; set; } = "";

    public bool AsksForSignatures => AllowedSignersFile.Length + OpenPgpKeysFile.Length > 0;

    /// <summary>Git: the private key (ssh) with which the control plane signs what it commits; empty: it does not sign.</summary>
    public string SigningKeyFile { get; set; } = "";

    /// <summary>Azure Blob: the account's URL. S3: that of a service that is not Amazon's.</summary>
    public string Endpoint { get; set; } = "";

    /// <summary>S3: required of Amazon's; else us-east-1.</summary>
    public string Region { get; set; } = "";

    /// <summary>S3: for services that take neither chunked uploads and newer checksums nor writes under a condition.</summary>
    public bool PlainUploads { get; set; }

    /// <summary>Git over https: the user; many hosts take any beside a token. S3: the access key's id. Azure Blob: the account of a key.</summary>
    public string User { get; set; } = "";

    /// <summary>
    /// A reference, read at each use. Git over https: to the password or token. S3: to the secret access key. Azure Blob: to the account's key or a shared access
    /// signature. Absent in a bucket: the role that the machine or the pod has.
    /// </summary>
    public string Password { get; set; } = "";

    /// <summary>Over https: PEM certificates that are trusted beside the system's.</summary>
    public string CaFile { get; set; } = "";

    /// <summary>Git over ssh: the private key's file.</summary>
    public string SshKeyFile { get; set; } = "";

    /// <summary>Git over ssh: the host keys that are accepted, and no others.</summary>
    public string KnownHostsFile { get; set; } = "";

    public bool IsGit => Kind == StoreKinds.Git;

    /// <summary>Of Location: the bucket's or container's name.</summary>
    public string Bucket => Location.Split('/')[0];

    /// <summary>Of Location: what stands before each name, with its /; empty: nothing does.</summary>
    public string Prefix => Location.TrimEnd('/')[Bucket.Length..].TrimStart('/') is { Length: > 0 } prefix ? $"{prefix}/" : "";

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
        if (!StoreKinds.All.Contains(Kind))
            yield return $":Kind '{Kind}' is none of {string.Join(", ", StoreKinds.All)}";
        foreach (var pattern in Paths.Where(p => p.TrimStart('!') is var plain && (plain.Length == 0 || plain.StartsWith('/') || plain.Split('/').Contains(".."))))
            yield return $":Paths '{pattern}' is not a pattern within the store, like jobs/**/*.yaml";
        if (Paths.Count > 0 && Paths.TrueForAll(p => p.StartsWith('!')))
            yield return ":Paths says only what is no artifact: begin with what is, like **/*.yaml";
        if (NewJobs.Length > 0 && !IsPlaceOfNewJobs())
            yield return $":NewJobs '{NewJobs}' is not a path of one of the store's artifacts with {{job_id}} in its name, like jobs/{{job_id}}.yaml";
        if (NewJobs.Length > 0 && !WritesApplied)
            yield return ":NewJobs says where jobs are written, and WritesApplied that none are";
        foreach (var mistake in SigningMistakes())
            yield return mistake;
        foreach (var mistake in Kind switch { StoreKinds.Git => GitMistakes(), StoreKinds.Directory => DirectoryMistakes(), StoreKinds.S3 or StoreKinds.AzureBlob => BucketMistakes(), _ => [] })
            yield return mistake;
    }

    private bool IsPlaceOfNewJobs()
    {
        var path = NewJobs.Replace("{job_id}", "job", StringComparison.Ordinal);
        return path != NewJobs && path.Split('/').All(part => part is not ("" or "." or "..")) && new Stores.PathPatterns(Patterns).Select([path], one => one).Count == 1;
    }

    private IEnumerable<string> SigningMistakes()
    {
        foreach (var (name, file) in new[] { (nameof(AllowedSignersFile), AllowedSignersFile), (nameof(OpenPgpKeysFile), OpenPgpKeysFile), (nameof(SigningKeyFile), SigningKeyFile) }.Where(one => one.Item2.Length > 0))
            if (!IsGit)
                yield return $":{name} is of a store of kind git alone: nothing else has commits to sign";
            else if (!File.Exists(file))
                yield return $":{name} '{file}' does not exist";
        foreach (var mistake in IsGit ? SigningMistakesOfGit() : [])
            yield return mistake;
    }

    private IEnumerable<string> SigningMistakesOfGit()
    {
        if (AsksForSignatures && SigningKeyFile.Length == 0 && WritesApplied)
            yield return $":{(AllowedSignersFile.Length > 0 ? nameof(AllowedSignersFile) : nameof(OpenPgpKeysFile))} asks for signatures, and the control plane has no key for its own commits: set SigningKeyFile, or WritesApplied to false";
        if (AsksForSignatures && SigningKeyFile.Length > 0 && AllowedSignersFile.Length == 0)
            yield return ":SigningKeyFile is an ssh key, with which nobody may sign: set AllowedSignersFile too, with its public half";
        if (SigningKeyFile.Length > 0 && File.Exists(SigningKeyFile) && KeyFile.IsOpenToOthers(SigningKeyFile))
            yield return $":SigningKeyFile '{SigningKeyFile}' is open to every user of this machine: chmod 600 it";
        if (AllowedSignersFile.Length + SigningKeyFile.Length > 0 && !HasProgram("ssh-keygen"))
            yield return ":AllowedSignersFile and SigningKeyFile need the program ssh-keygen, which is not on the PATH: install openssh-client";
        if (OpenPgpKeysFile.Length > 0 && File.Exists(OpenPgpKeysFile) && Stores.OpenPgpSigners.MistakeOf(OpenPgpKeysFile) is { } unreadable)
            yield return $":{unreadable}";
    }

    private IEnumerable<string> DirectoryMistakes() => Path.IsPathRooted(Location) ? [] : [$":Location '{Location}' is not an absolute path"];

    private IEnumerable<string> BucketMistakes()
    {
        if (!BucketLocation().IsMatch(Location) || Location.Split('/').Any(part => part is "." or ".."))
            yield return $":Location '{Location}' is not a {(Kind == StoreKinds.S3 ? "bucket" : "container")}'s name, and after a / the prefix, like kpi-jobs/prod";
        if (Endpoint.Length == 0 && Kind == StoreKinds.AzureBlob)
            yield return ":Endpoint is missing: the account's URL, like https://acme.blob.core.windows.net";
        if (Endpoint.Length == 0 && Kind == StoreKinds.S3 && Region.Length == 0)
            yield return ":Region is missing: like eu-central-1; or Endpoint, where the service is not Amazon's";
        if (Endpoint.Length > 0)
            foreach (var mistake in EndpointMistakes())
                yield return mistake;
        if (Password.Length > 0 && SecretReference.Mistake(Password) is { } wrong)
            yield return $":Password {wrong}";
        if (Password.Length > 0 && User.Length == 0 && Kind == StoreKinds.S3)
            yield return ":User is missing: the id of the access key whose secret Password leads to";
        if (CaFile.Length > 0 && !File.Exists(CaFile))
            yield return $":CaFile '{CaFile}' does not exist";
    }

    // The text is not shown where it may hold a signature or a password.
    private IEnumerable<string> EndpointMistakes()
    {
        if (!Uri.TryCreate(Endpoint, UriKind.Absolute, out var url) || url.Scheme is not ("https" or "http"))
            yield return ":Endpoint is not a URL like https://s3.example.com";
        else if (url.UserInfo.Length > 0 || url.Query.Length > 0)
            yield return ":Endpoint holds a credential: set Password to a reference";
        else if (url.Scheme == "http" && !CallableAddresses.NamesLoopback(url.Host))
            yield return $":Endpoint '{Endpoint}' is not encrypted: use https; plain http is for loopback alone";
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
        if (!HasProgram("ssh"))
            yield return ":Location needs the program ssh, which is not on the PATH: install openssh-client, or use https";
    }

    private static bool HasProgram(string name) => (System.Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => folder.Length > 0 && File.Exists(Path.Combine(folder, name)));

    [GeneratedRegex(@"^[a-z0-9][a-z0-9.-]{1,62}(/[A-Za-z0-9][A-Za-z0-9._=-]*)*/?\z", RegexOptions.CultureInvariant)]
    private static partial Regex BucketLocation();

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}\z", RegexOptions.CultureInvariant)]
    private static partial Regex BranchName();

    [GeneratedRegex(@"^/[A-Za-z0-9._/@+-]+\z", RegexOptions.CultureInvariant)]
    private static partial Regex PlainPath();
}

internal static class StoreKinds
{
    public const string Git = "git", Directory = "directory", S3 = "s3", AzureBlob = "azure-blob";

    public static readonly string[] All = [Git, Directory, S3, AzureBlob];
}
