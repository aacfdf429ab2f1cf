using System.CommandLine;
using KpiControl.Cli.Options;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Cli.Commands;

internal static class SchemaCommand
{
    public static Command Create() =>
        new Command("schema", "Print the JSON Schema of artifacts, for editors").Does(session =>
        {
            session.World.Out.Write(JobSchema.Text.EndsWith('\n') ? JobSchema.Text : JobSchema.Text + "\n");
            return Task.FromResult(ExitCode.Done);
        });
}
