using System.CommandLine;
using System.Text.Json.Nodes;
using KpiControl.Cli.Authoring;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Cli.Commands;

internal static class ValidateCommand
{
    private static readonly Argument<string[]> Files = new("FILE|DIR")
    { Description = "Artifacts, calendars, or directories of them", Arity = ArgumentArity.OneOrMore };
    private static readonly Option<bool> Quiet = new("--quiet", "-q") { Description = "Errors only" };

    public static Command Create() =>
        new Command("validate", "Check artifacts and calendars without a control plane: syntax, schema, meaning, secrets, and the graph among them") { Files }
            .With(SharedOptions.Recursive, Quiet, SharedOptions.Output).Does(session => Task.FromResult(Validate(session)));

    private static int Validate(Session session)
    {
        var artifacts = ArtifactFile.ReadAll(FileSet.Of(session.Value(Files)!, session.Value(SharedOptions.Recursive)), session.Token);
        var errors = artifacts.Sum(artifact => artifact.Findings.Count(finding => finding.Severity == Severity.Error));
        if (session.Answer.ForPeople)
            Print(session, artifacts, errors);
        else
            PrintData(session, artifacts);
        return errors == 0 ? ExitCode.Done : ExitCode.Failed;
    }

    private static void Print(Session session, IReadOnlyList<ArtifactFile> artifacts, int errors)
    {
        var warnings = 0;
        foreach (var artifact in artifacts)
            foreach (var finding in artifact.Findings)
            {
                var isError = finding.Severity == Severity.Error;
                warnings += isError ? 0 : 1;
                if (isError || !session.Value(Quiet))
                    session.World.Out.WriteLine(FindingLines.Line(artifact.Path, finding));
            }
        session.World.Out.Flush();
        session.World.Error.WriteLine($"{Plural(artifacts.Count, "file")}: {Plural(errors, "error")}, {Plural(warnings, "warning")}");
    }

    private static void PrintData(Session session, IReadOnlyList<ArtifactFile> artifacts)
    {
        if (session.Format == OutputFormat.Name)
        {
            foreach (var artifact in artifacts.Where(artifact => artifact.IsValid))
                session.World.Out.WriteLine(artifact.Path);
            return;
        }
        var node = new JsonArray([.. artifacts.Select(Node)]);
        session.World.Out.Write(session.Format == OutputFormat.Json ? ProtoJson.Text(node) + "\n" : YamlText.Of(node));
    }

    // The members of REST's answer to :validate, and the file.
    private static JsonObject Node(ArtifactFile artifact) => new()
    {
        ["file"] = artifact.Path,
        ["valid"] = artifact.IsValid,
        ["content_hash"] = artifact.ContentHash ?? "",
        ["findings"] = new JsonArray([.. artifact.Findings.Select(finding => new JsonObject
        {
            ["path"] = finding.Path, ["line"] = finding.Line, ["column"] = finding.Column, ["rule"] = finding.Rule,
            ["severity"] = FindingLines.Word(finding.Severity), ["message"] = finding.Message, ["hint"] = finding.Hint,
        })]),
    };

    private static string Plural(int count, string noun) => count == 1 ? $"1 {noun}" : $"{count} {noun}s";
}
