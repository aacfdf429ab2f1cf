using System.Diagnostics;
using System.Globalization;
using System.Text;
using LibGit2Sharp;

namespace KpiControl.Control.Drift.Stores;

/// <summary>
/// Who signed a commit, with ssh keys or by OpenPGP, and signing our own: with ssh keys by <c>ssh-keygen</c>, as git itself does. The library that reads
/// repositories hands out signatures and judges none.
/// </summary>
internal sealed class GitSignatures(StoreSettings settings)
{
    private const string Field = "gpgsig", Namespace = "git", SshSignature = "-----BEGIN SSH SIGNATURE-----";

    private static readonly TimeSpan LongestCall = TimeSpan.FromSeconds(10);

    public bool AreAsked => settings.AsksForSignatures;

    /// <summary>Every commit that has come to the branch since one that was read; where that is not part of the clone, the last one, which vouches for all that it holds.</summary>
    /// <exception cref="StoreFaultException">One of them is not signed by anybody who is allowed.</exception>
    public void DemandSigned(Repository clone, string? before, Commit tip)
    {
        if (!AreAsked || tip.Sha == before)
            return;
        IEnumerable<Commit> news = before is not null && clone.Lookup<Commit>(before) is { } was
            ? clone.Commits.QueryBy(new CommitFilter { IncludeReachableFrom = tip, ExcludeReachableFrom = was }) : [tip];
        foreach (var commit in news.Append(tip).DistinctBy(commit => commit.Sha))
            if (MistakeOf(clone, commit) is { } mistake)
                throw new StoreFaultException($"the commit {commit.Sha[..12]} of {commit.Author.Name} on {settings.Branch} {mistake}; nothing of the branch is read until it is signed, or taken back");
    }

    /// <summary>Null: somebody who is allowed has signed it.</summary>
    public string? MistakeOf(Repository clone, Commit commit)
    {
        if (Signature(clone, commit) is not { } signed)
            return "is not signed";
        return signed.Signature.StartsWith(SshSignature, StringComparison.Ordinal) ? SshMistakeOf(commit, signed)
            : signed.Signature.StartsWith(OpenPgpSigners.Signature, StringComparison.Ordinal) ? OpenPgpMistakeOf(signed)
            : "is signed, but neither with an ssh key nor by OpenPGP";
    }

    private string? OpenPgpMistakeOf(SignatureInfo signed) => settings.OpenPgpKeysFile.Length == 0 ? "is signed by OpenPGP, and OpenPgpKeysFile is not set: sign with an ssh key (git config gpg.format ssh), or set it"
        : OpenPgpSigners.Read(settings.OpenPgpKeysFile).MistakeOf(signed.Signature, Encoding.UTF8.GetBytes(signed.SignedData), TimeProvider.System.GetUtcNow());

    private string? SshMistakeOf(Commit commit, SignatureInfo signed)
    {
        if (settings.AllowedSignersFile.Length == 0)
            return "is signed with an ssh key, and AllowedSignersFile is not set: sign by OpenPGP (git config gpg.format openpgp), or set it";
        return WithFile(signed.Signature, file =>
        {
            var (found, who) = Run(["-Y", "find-principals", "-f", settings.AllowedSignersFile, "-s", file, $"-Overify-time={At(commit)}"], "");
            if (found != 0 || who.Split('\n')[0].Trim() is not { Length: > 0 } principal)
                return "is signed by nobody who stands in AllowedSignersFile";
            var (fits, said) = Run(["-Y", "verify", "-f", settings.AllowedSignersFile, "-I", principal, "-n", Namespace, "-s", file, $"-Overify-time={At(commit)}"], signed.SignedData);
            return fits == 0 ? null : $"has a signature that is not valid ({said.ReplaceLineEndings(" ").Trim()})";
        });
    }

    /// <returns>Null: it is not asked for.</returns>
    /// <exception cref="StoreFaultException">It cannot be signed.</exception>
    public string? Sign(string content)
    {
        if (settings.SigningKeyFile.Length == 0)
            return null;
        var (done, signature) = Run(["-Y", "sign", "-n", Namespace, "-f", settings.SigningKeyFile], content);
        return done == 0 ? signature : throw new StoreFaultException($"what is to be committed cannot be signed with SigningKeyFile: {signature.ReplaceLineEndings(" ").Trim()}");
    }

    private static SignatureInfo? Signature(Repository clone, Commit commit)
    {
        try
        {
            return LibGit2Sharp.Commit.ExtractSignature(clone, commit.Id, Field);
        }
        catch (NotFoundException)
        {
            return null;
        }
    }

    // A key that is allowed for a time is asked about that of the commit, as git does.
    private static string At(Commit commit) => commit.Committer.When.UtcDateTime.ToString("yyyyMMddHHmmss'Z'", CultureInfo.InvariantCulture);

    private static T WithFile<T>(string text, Func<string, T> use)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, text);
            return use(file);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static (int ExitCode, string Said) Run(string[] arguments, string input)
    {
        var start = new ProcessStartInfo("ssh-keygen", arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, StandardInputEncoding = new UTF8Encoding(false) };
        using var process = Process.Start(start) ?? throw new StoreFaultException("ssh-keygen cannot be started");
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        try
        {
            process.StandardInput.Write(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended before it had read all: its exit code says why.
        }
        if (!process.WaitForExit(LongestCall))
        {
            process.Kill();
            throw new StoreFaultException($"ssh-keygen has not answered within {LongestCall.TotalSeconds:0} s");
        }
        var said = output.GetAwaiter().GetResult();
        return (process.ExitCode, process.ExitCode == 0 ? said : error.GetAwaiter().GetResult() is { Length: > 0 } words ? words : said);
    }
}
