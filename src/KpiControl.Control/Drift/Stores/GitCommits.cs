using System.Text;
using LibGit2Sharp;

namespace KpiControl.Control.Drift.Stores;

/// <summary>Commits on top of a branch, one for each artifact that it does not hold yet; nobody sees them before they are pushed.</summary>
internal sealed class GitCommits(Repository repository, Commit tip, GitSignatures signatures)
{
    public Commit Tip { get; private set; } = tip;

    public WriteOutcome Add(PendingWrite write)
    {
        var there = Tip.Tree[write.Path];
        if (there is { TargetType: not TreeEntryTargetType.Blob })
            return WriteOutcome.Refused($"{write.Path} is no file");
        if (there?.Target is Blob blob && write.IsMeantBy(Bytes(blob)))
            return WriteOutcome.Stored(Tip.Sha);
        if (!write.MayReplace(there?.Target.Sha, () => Bytes((Blob)there!.Target)))
            return WriteOutcome.Moved(write.Path);
        using var text = new MemoryStream(Encoding.UTF8.GetBytes(write.Text));
        var tree = TreeDefinition.From(Tip.Tree).Add(write.Path, repository.ObjectDatabase.CreateBlob(text), Mode.NonExecutableFile);
        var by = new Signature("KpiControl", "kpi-control@localhost", DateTimeOffset.FromUnixTimeSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds()));
        var made = Commit(by, write.Message, repository.ObjectDatabase.CreateTree(tree));
        if (signatures.AreAsked && signatures.MistakeOf(repository, made) is { } mistake)
            return WriteOutcome.Failed($"the store takes signed commits alone, and what the control plane commits {mistake}: set SigningKeyFile to a key that stands in AllowedSignersFile");
        Tip = made;
        return WriteOutcome.Stored(Tip.Sha);
    }

    private Commit Commit(Signature by, string message, Tree tree)
    {
        var content = LibGit2Sharp.Commit.CreateBuffer(by, by, message, tree, [Tip], prettifyMessage: true, commentChar: null);
        return signatures.Sign(content) is { } signature
            ? repository.Lookup<Commit>(repository.ObjectDatabase.CreateCommitWithSignature(content, signature))
            : repository.ObjectDatabase.CreateCommit(by, by, message, tree, [Tip], prettifyMessage: true);
    }

    private static byte[] Bytes(Blob blob)
    {
        using var content = blob.GetContentStream();
        var bytes = new byte[(int)Math.Min(content.Length, Jobs.Artifacts.ArtifactLimits.MaxBytes + 1)];
        return bytes[..content.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)];
    }
}
