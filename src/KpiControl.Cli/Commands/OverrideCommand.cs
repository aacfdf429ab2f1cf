using System.CommandLine;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class OverrideCommand
{
    private static readonly Argument<string> Job = JobAddress.Argument();
    private static readonly Argument<string?> OfJob = new("JOB") { Description = "Only of this job", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Argument<string> Kind = new("KIND") { Description = "schedule, priority, timeout, alert-route or pause; to clear, tweak too: a schedule that an edit of the job set without an end" };
    private static readonly Argument<string?> Value = new("VALUE")
    { Description = "A cron expression in the job's time zone, 1 to 5, a duration, or a channel; of a pause none", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> Until = new("--until")
    { Description = "The definition counts again then: an instant, a date, or a duration from now; at most 90 days", HelpName = "TIME", Required = true };
    private static readonly Option<string?> OnlyKind = new("--kind") { Description = "Only of this kind", HelpName = "KIND" };
    private static readonly Option<bool> All = new("--all", "-a") { Description = "Those that ended, too" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most so many", HelpName = "N", DefaultValueFactory = _ => 50 };

    public static Command Create() => new Command("override", "What stands over jobs' definitions for a while: set, list, clear")
    {
        new Command("set", "Put a value over the definition's until an instant") { Job, Kind, Value }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Until, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(Set),
        new Command("list", "What stands now, pauses included") { OfJob }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, OnlyKind, All, Limit, SharedOptions.Output).Does(List),
        new Command("clear", "End one before its time") { Job, Kind }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(Clear),
    };

    private static async Task<int> Set(Session session)
    {
        var (address, dryRun) = (JobAddress.Parse(session.Value(Job)!, session.Target), session.Value(SharedOptions.DryRun));
        var set = await session.Drift.SetOverrideAsync(new SetOverrideRequest
        {
            BindingId = address.BindingId, Tenant = address.Tenant, Environment = address.Environment, JobId = address.JobId, Kind = Word(session.Value(Kind)),
            Value = session.Value(Value) ?? "", ExpiresAt = Timestamp.FromDateTimeOffset(Times.Instant(session.Value(Until)!, "--until", session.World.Clock)),
            Reason = session.Value(SharedOptions.Reason) ?? throw new Refusal("an override has a reason", "give --reason"), ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
        session.Answer.Print(set, () => session.World.Out.WriteLine(
            $"{OverrideTable.JobOf(set)}: {set.Kind} {(dryRun ? "would be overridden (dry run)" : "overridden")}{(set.Value.Length > 0 ? $" ({set.Value})" : "")} until {OverrideTable.Until(set, session.World.Clock.GetUtcNow())}"),
            () => [NameOf(set)]);
        return ExitCode.Done;
    }

    private static async Task<int> Clear(Session session)
    {
        var (address, dryRun) = (JobAddress.Parse(session.Value(Job)!, session.Target), session.Value(SharedOptions.DryRun));
        var cleared = await session.Drift.ClearOverrideAsync(new ClearOverrideRequest
        {
            BindingId = address.BindingId, Tenant = address.Tenant, Environment = address.Environment, JobId = address.JobId, Kind = Word(session.Value(Kind)),
            Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
        session.Answer.Print(cleared, () => session.World.Out.WriteLine(
            $"{OverrideTable.JobOf(cleared)}: {cleared.Kind} {(dryRun ? "would be the definition's again (dry run)" : "is the definition's again")}"), () => [NameOf(cleared)]);
        return ExitCode.Done;
    }

    private static async Task<int> List(Session session)
    {
        var binding = session.Value(OfJob) is { } job ? (await session.Jobs.GetJobAsync(JobAddress.Parse(job, session.Target).Get(), session.Call)).BindingId : 0;
        var all = new ListOverridesResponse();
        await Pages.Read(session, session.Value(Limit), async (size, token) =>
        {
            var page = await session.Drift.ListOverridesAsync(new ListOverridesRequest
            {
                Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "", BindingId = binding, Kind = Word(session.Value(OnlyKind) ?? ""),
                IncludeEnded = session.Value(All), PageSize = size, PageToken = token,
            }, session.Call);
            all.Overrides.AddRange(page.Overrides);
            all.NextPageToken = page.NextPageToken;
            return (page.Overrides.Count, page.NextPageToken);
        });
        session.Answer.Print(all, () => Print(session, all.Overrides), () => all.Overrides.Select(NameOf));
        return ExitCode.Done;
    }

    private static void Print(Session session, IReadOnlyCollection<Override> overrides)
    {
        if (overrides.Count == 0)
            session.World.Error.WriteLine(session.Value(All) ? "no overrides" : "no overrides stand; those that ended: --all");
        else
            OverrideTable.Print(session.World, overrides, session.Answer.Wide);
    }

    // alert-route, as words on a command line are spelled; alert_route is understood as well.
    private static string Word(string? kind) => (kind ?? "").Replace('-', '_');

    private static string NameOf(Override one) => $"{OverrideTable.JobOf(one)}/{one.Kind}";
}
