using System.Diagnostics;

namespace KpiControl.Control.Tests.Drift;

/// <summary>A bare repository and an author's clone of it, made and changed with git itself; gone with the test.</summary>
public sealed class GitRepository : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("kpi-git-").FullName;

    public GitRepository()
    {
        Git(root, "init", "--quiet", "--bare", "--initial-branch=main", Bare);
        Git(root, "clone", "--quiet", Bare, Clone);
        Git(Clone, "checkout", "--quiet", "-b", "main");
    }

    /// <summary>Where bare repositories lie.</summary>
    public string Root => root;

    public string Bare => Path.Combine(root, "kpi-jobs.git");

    public string Head => Git(Clone, "rev-parse", "HEAD");

    /// <summary>What the branch holds on the server.</summary>
    public string Show(string path, string branch = "main") => Git(Bare, "show", $"{branch}:{path}");

    public string Log(string format, string branch = "main") => Git(Bare, "log", $"--format={format}", branch);

    /// <summary>The private key (ssh; of <see cref="OpenPgp"/>: its fingerprint) that the author's commits are signed with from now on; null: they are not.</summary>
    public string? SigningKey { get; set; }

    /// <summary>The program that signs by OpenPGP; null: ssh-keygen signs.</summary>
    public string? OpenPgp { get; set; }

    /// <returns>The commit, which is pushed.</returns>
    public string Commit(params (string Path, string? Content)[] files)
    {
        foreach (var (path, content) in files)
        {
            var file = Path.Combine(Clone, path);
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            if (content is null)
                File.Delete(file);
            else
                File.WriteAllText(file, content);
        }
        Git(Clone, "add", "--all");
        Git(Clone, ["-c", $"gpg.format={(OpenPgp is null ? "ssh" : "openpgp")}", "-c", $"gpg.program={OpenPgp ?? "gpg"}", "-c", $"user.signingkey={SigningKey}", "-c", $"commit.gpgsign={(SigningKey is null ? "false" : "true")}", "commit", "--quiet", "--allow-empty", "--message", "by the author"]);
        Git(Clone, "push", "--quiet", "origin", "main");
        return Head;
    }

    /// <summary>The last commit is another one: what it was is no longer part of the branch.</summary>
    public string Rewrite(string path, string content)
    {
        File.WriteAllText(Path.Combine(Clone, path), content);
        Git(Clone, "commit", "--quiet", "--all", "--amend", "--message", "rewritten");
        Git(Clone, "push", "--quiet", "--force", "origin", "main");
        return Head;
    }

    /// <summary>The branch ends at an earlier commit again, by force.</summary>
    public void Reset(string commit)
    {
        Git(Clone, "reset", "--quiet", "--hard", commit);
        Git(Clone, "push", "--quiet", "--force", "origin", "main");
    }

    /// <summary>The last commit with another message and the signature that it had, by force.</summary>
    public string Forge()
    {
        var file = Path.Combine(root, "forged");
        File.WriteAllText(file, Git(Clone, "cat-file", "commit", "HEAD").Replace("by the author", "by another", StringComparison.Ordinal) + "\n");
        var forged = Git(Clone, "hash-object", "-t", "commit", "-w", file);
        Reset(forged);
        return forged;
    }

    /// <summary>What git says of the signature of the branch's last commit on the server.</summary>
    public string Verify(string allowedSigners) => Git(Bare, "-c", $"gpg.ssh.allowedSignersFile={allowedSigners}", "log", "--max-count=1", "--format=%GG", "main");

    public void Pull() => Git(Clone, "pull", "--quiet", "--rebase", "origin", "main");

    public void RenameBranch(string from, string to) => Git(Bare, "branch", "--move", from, to);

    public static string Git(string directory, params string[] arguments)
    {
        var start = new ProcessStartInfo("git", arguments) { WorkingDirectory = directory, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in new[]
        {
            ("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_TERMINAL_PROMPT", "0"), ("GIT_AUTHOR_NAME", "Ann"), ("GIT_AUTHOR_EMAIL", "ann@example.com"),
            ("GIT_COMMITTER_NAME", "Ann"), ("GIT_COMMITTER_EMAIL", "ann@example.com"),
        })
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output.TrimEnd() : throw new InvalidOperationException($"git {string.Join(' ', arguments)}: {error.GetAwaiter().GetResult()}");
    }

    public void Dispose() => Directory.Delete(root, recursive: true);

    private string Clone => Path.Combine(root, "clone");
}
