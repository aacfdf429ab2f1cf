using System.CommandLine;
using KpiControl.Cli.Authoring;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Options;

/// <summary>What plan, diff and apply have in common.</summary>
internal static class PlanOptions
{
    public static readonly Option<string?> Region = new("--region") { Description = "Where new jobs run; absent: the tenant's home region", HelpName = "REGION" };

    public static readonly Option<string?> Source = new("--source") { Description = "Who applies the set, as in git-main: recorded with each job, and the bounds of --prune", HelpName = "NAME" };

    public static readonly Option<string?> Prune = new("--prune")
    { Description = "Take away what --source applied and the set no longer has: remove (if nothing is said) or pause", HelpName = "remove|pause", Arity = ArgumentArity.ZeroOrOne };

    public static readonly Option<OutputFormat> Output = new("--output", "-o")
    { Description = "table, wide, json, yaml, name, or markdown for a review comment [default: table]", HelpName = "FORMAT" };

    public static readonly Option<string?> Plan = new("--plan")
    { Description = "Apply exactly this plan, saved by: kpictl plan PATH -o json; where it no longer fits, what moved is said", HelpName = "FILE" };

    public static readonly Option<string?> PlanDigest = new("--plan-digest") { Description = "Apply exactly the plan of this digest", HelpName = "DIGEST" };

    static PlanOptions()
    {
        Prune.AcceptOnlyFromAmong("remove", "pause");
        Output.AcceptOnlyFromAmong("table", "wide", "json", "yaml", "name", "markdown");
    }

    public static PlanJobsRequest Request(Session session, JobFiles files) => new()
    {
        Tenant = session.Value(SharedOptions.Tenant) ?? "", Environment = session.Target.Environment ?? "dev", Region = session.Value(Region) ?? "",
        Source = session.Value(Source) ?? "", Prune = PruneOf(session), Artifacts = { files.Artifacts },
    };

    /// <summary>Empty: nothing is pruned.</summary>
    public static string PruneOf(Session session) => session.Has(Prune) ? session.Value(Prune) ?? "remove" : "";
}
