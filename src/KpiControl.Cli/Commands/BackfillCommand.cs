using System.CommandLine;
using System.Globalization;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class BackfillCommand
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(500);

    private static readonly Argument<string?> Job = new("JOB") { Description = "As in get", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Argument<string?> Only = new("JOB") { Description = "As in get; absent: all", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Argument<long> Id = new("ID") { Description = "As list shows it" };
    private static readonly Option<string?> From = new("--from") { Description = "The first business date", HelpName = "DATE", CustomParser = Times.DateOption };
    private static readonly Option<string?> To = new("--to") { Description = "The last business date, included", HelpName = "DATE", CustomParser = Times.DateOption };
    private static readonly Option<string> Order = new("--order") { Description = "oldest or newest first", HelpName = "ORDER", DefaultValueFactory = _ => "oldest" };
    private static readonly Option<int> Parallelism = new("--parallelism") { Description = "Slots at once, at most 16; more than one where the job says overlap: allow", HelpName = "N", DefaultValueFactory = _ => 1 };
    private static readonly Option<bool> Rerun = new("--rerun-succeeded") { Description = "Also the slots that already succeeded" };
    private static readonly Option<bool> Wait = new("--wait", "-w") { Description = "Until it has ended; exit 1 unless every slot delivered" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most so many, the newest", HelpName = "N", DefaultValueFactory = _ => 20 };

    static BackfillCommand() => Order.AcceptOnlyFromAmong("oldest", "newest");

    public static Command Create() => Placed(
        new Command("backfill", "Run the slots of a window of business dates (again), behind everything live")
        {
            Job,
            Placed(new Command("list", "List backfills, newest first") { Only, Limit }).Does(List),
            Placed(new Command("status", "How far a backfill is") { Id }.With(Wait)).Does(Status),
            Placed(new Command("cancel", "End a backfill: what waits at once, what runs when its agent has stopped it") { Id }
                .With(SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Yes)).Does(Cancel),
        }.With(From, To, Order, Parallelism, Rerun, Wait, SharedOptions.Reason, SharedOptions.DryRun)).Does(Start);

    private static Command Placed(Command command) => command.Online().With(SharedOptions.Tenant, SharedOptions.Environment, SharedOptions.Output);

    private static async Task<int> Start(Session session)
    {
        if (session.Value(Job) is not { } job || session.Value(From) is not { } from || session.Value(To) is not { } to)
            throw new Refusal("backfill takes a JOB, --from and --to", "kpictl backfill dso_daily --from 2026-01-01 --to 2026-01-31 --dry-run");
        var address = JobAddress.Parse(job, session.Target);
        var dryRun = session.Value(SharedOptions.DryRun);
        var made = await session.Jobs.BackfillJobAsync(new BackfillJobRequest
        {
            BindingId = address.BindingId, Tenant = address.Tenant, Environment = address.Environment, JobId = address.JobId, FirstDate = from, LastDate = to,
            Order = session.Value(Order)!, Parallelism = session.Value(Parallelism), RerunSucceeded = session.Value(Rerun), Reason = session.Value(SharedOptions.Reason) ?? "",
            ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
        if (session.Value(Wait) && !dryRun)
            return await AwaitEnd(session, made.BackfillId);
        session.Answer.Print(made, () => Say(session, made, dryRun), () => [Number(made.BackfillId)]);
        return ExitCode.Done;
    }

    private static void Say(Session session, Backfill made, bool dryRun)
    {
        var ahead = Count(made, "pending") + Count(made, "queued");
        session.World.Out.WriteLine($"{made.JobId}: {ahead} of {made.Total} slots {(dryRun ? "would run (dry run)" : $"run, backfill {made.BackfillId}")}{(made.Parallelism > 1 ? $", {made.Parallelism} at once" : "")}"
            + (Count(made, "succeeded_before") is > 0 and var before ? $"; {before} succeeded before" : ""));
        var table = new TextTable("SLOT", "BUSINESS_DATE");
        foreach (var slot in made.FirstSlots)
            table.Row(Ages.Absolute(slot.At), slot.BusinessDate);
        table.WriteTo(session.World);
        session.World.Out.Flush();
        if (ahead > made.FirstSlots.Count)
            session.World.Error.WriteLine($"and {ahead - made.FirstSlots.Count} more");
        if (!dryRun)
            session.World.Error.WriteLine($"see how far it is: kpictl backfill status {made.BackfillId}");
    }

    private static async Task<int> Status(Session session)
    {
        if (session.Value(Wait))
            return await AwaitEnd(session, session.Value(Id));
        var backfill = await session.Jobs.GetBackfillAsync(new GetBackfillRequest { BackfillId = session.Value(Id) }, session.Call);
        session.Answer.Print(backfill, () => Print(session, [backfill]), () => [Number(backfill.BackfillId)]);
        return ExitCode.Done;
    }

    private static async Task<int> AwaitEnd(Session session, long id)
    {
        Backfill backfill;
        using (var progress = new ProgressLine(session.World))
            while (true)
            {
                backfill = await session.Jobs.GetBackfillAsync(new GetBackfillRequest { BackfillId = id }, session.Call);
                if (backfill.State is "done" or "cancelled")
                    break;
                progress.Say($"backfill {id} {Bar(backfill)} {Ended(backfill)}/{backfill.Total}");
                await Task.Delay(LookEvery, session.World.Clock, session.Token);
            }
        session.Answer.Print(backfill, () => Print(session, [backfill]), () => [Number(backfill.BackfillId)]);
        return Count(backfill, "success") + Count(backfill, "partial") + Count(backfill, "succeeded_before") == backfill.Total ? ExitCode.Done : ExitCode.Failed;
    }

    private static async Task<int> List(Session session)
    {
        var job = session.Value(Only) is { } name ? await session.Jobs.GetJobAsync(JobAddress.Parse(name, session.Target).Get(), session.Call) : null;
        var all = await session.Jobs.ListBackfillsAsync(new ListBackfillsRequest
        {
            Tenant = session.Target.Tenant ?? "", Environment = job is null ? session.Target.Environment ?? "" : "", BindingId = job?.BindingId ?? 0, PageSize = session.Value(Limit),
        }, session.Call);
        session.Answer.Print(all, () => Print(session, all.Backfills), () => all.Backfills.Select(b => Number(b.BackfillId)));
        return ExitCode.Done;
    }

    private static async Task<int> Cancel(Session session)
    {
        var (id, dryRun) = (session.Value(Id), session.Value(SharedOptions.DryRun));
        if (!dryRun && !Talk.Agreed(session.World, session.Value(SharedOptions.Yes), $"Cancel backfill {id}?"))
            return Talk.Refused(session.World, new Refusal("not cancelled"));
        var backfill = await session.Jobs.CancelBackfillAsync(new CancelBackfillRequest
        {
            BackfillId = id, Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
        session.Answer.Print(backfill, () => session.World.Out.WriteLine($"backfill {id} {(dryRun ? "would be cancelled (dry run)" : "cancelled")}"), () => [Number(id)]);
        return ExitCode.Done;
    }

    private static void Print(Session session, IReadOnlyCollection<Backfill> backfills)
    {
        if (backfills.Count == 0)
        {
            session.World.Error.WriteLine("no backfills; start one with: kpictl backfill JOB --from DATE --to DATE");
            return;
        }
        var table = new TextTable("ID", "JOB", "ENV", "FROM", "TO", "STATE", "ENDED", "SLOTS", "BY");
        foreach (var b in backfills)
            table.Row(Number(b.BackfillId), b.JobId, b.Environment, b.FirstDate, b.LastDate, b.State, FormattableString.Invariant($"{Ended(b)}/{b.Total}"),
                string.Join(' ', b.Slots.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => $"{s.Key}={s.Value}")), b.RequestedBy);
        table.WriteTo(session.World);
    }

    private static string Bar(Backfill backfill)
    {
        const int Width = 30;
        var filled = backfill.Total == 0 ? Width : (int)((long)Ended(backfill) * Width / backfill.Total);
        return $"[{new string('#', filled)}{new string('.', Width - filled)}]";
    }

    private static int Ended(Backfill backfill) => backfill.Total - Count(backfill, "pending") - Count(backfill, "queued");

    private static int Count(Backfill backfill, string state) => backfill.Slots.TryGetValue(state, out var count) ? count : 0;

    private static string Number(long id) => id.ToString(CultureInfo.InvariantCulture);
}
