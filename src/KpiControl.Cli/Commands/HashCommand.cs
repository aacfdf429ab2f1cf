using System.CommandLine;
using KpiControl.Cli.Authoring;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;

namespace KpiControl.Cli.Commands;

internal static class HashCommand
{
    private static readonly Argument<string> File = new("FILE") { Description = "An artifact" };
    private static readonly Option<bool> Canonical = new("--canonical") { Description = "Print the canonical JSON that is hashed, without a line end" };

    public static Command Create() =>
        new Command("hash", "Print the content hash of what an artifact means") { File, Canonical }
            .Does(session => Task.FromResult(Hash(session)));

    private static int Hash(Session session)
    {
        var artifact = ArtifactFile.Read(session.Value(File)!);
        if (artifact.Reading.ContentHash is not { } hash)
        {
            foreach (var finding in artifact.Findings)
                session.World.Error.WriteLine(FindingLines.Line(artifact.Path, finding));
            throw new Refusal($"{artifact.Path} means nothing yet: it has no hash", "mend what is named above", ExitCode.Failed);
        }
        if (session.Value(Canonical))
            session.World.Out.Write(artifact.Reading.CanonicalJson);
        else
            session.World.Out.WriteLine(hash);
        return ExitCode.Done;
    }
}
