using System.CommandLine;
using KpiControl.Cli.Drift;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

/// <summary>kpictl drift: whether what is bound is what the stores of artifacts hold.</summary>
internal static class DriftCommand
{
    private static readonly Argument<string> Job = JobAddress.Argument();
    private static readonly Argument<string> Store = new("STORE") { Description = "The store's name, as kpictl drift stores shows it" };
    private static readonly Option<string?> OfStore = new("--store") { Description = "Of this store alone", HelpName = "STORE" };
    private static readonly Option<string?> State = new("--state") { Description = "in_sync, pending_write, drifted, missing, orphaned, invalid, unreadable, overridden or all [default: all but in_sync]", HelpName = "STATE" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most so many", HelpName = "N", DefaultValueFactory = _ => 50 };
    private static readonly Option<bool> ReadAll = new("--read-all") { Description = "Read every artifact again, whether it seems changed or not" };
    private static readonly Option<bool> NoWait = new("--no-wait") { Description = "Ask for the pass, and do not wait for it" };

    static DriftCommand() => State.AcceptOnlyFromAmong("in_sync", "pending_write", "drifted", "missing", "orphaned", "invalid", "unreadable", "overridden", "all");

    public static Command Create() => new Command("drift", "List jobs that are not what the store of their artifacts holds")
    {
        new Command("show", "One job: its hashes from the store down to its last run, and what differs") { Job }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, SharedOptions.Output).Does(Show),
        new Command("stores", "List the stores, and how the last pass over each went")
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Limit, SharedOptions.Output).Does(Stores),
        new Command("sync", "Look at a store now, and wait until that is done") { Store }
            .Online().With(ReadAll, NoWait, SharedOptions.DryRun, SharedOptions.Output).Does(Sync),
    }.Online().With(SharedOptions.Tenant, SharedOptions.Environment, OfStore, State, Limit, SharedOptions.Output).Does(List);

    private static async Task<int> List(Session session)
    {
        var all = new ListDriftResponse();
        await Pages.Read(session, session.Value(Limit), async (size, token) =>
        {
            var page = await session.Drift.ListDriftAsync(new ListDriftRequest
            {
                Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "", Store = session.Value(OfStore) ?? "", State = session.Value(State) ?? "", PageSize = size, PageToken = token,
            }, session.Call);
            all.Entries.AddRange(page.Entries);
            all.NextPageToken = page.NextPageToken;
            return (page.Entries.Count, page.NextPageToken);
        });
        session.Answer.Print(all, () => DriftText.Print(session, all.Entries), () => all.Entries.Select(DriftText.Name));
        return ExitCode.Done;
    }

    private static async Task<int> Show(Session session)
    {
        var address = JobAddress.Parse(session.Value(Job)!, session.Target);
        var drift = await session.Drift.GetDriftAsync(new GetDriftRequest
        {
            BindingId = address.BindingId, Tenant = address.Tenant, Environment = address.Environment, JobId = address.JobId,
        }, session.Call);
        session.Answer.Print(drift, () => DriftText.Print(session, drift), () => [DriftText.Name(drift.Entry)]);
        return ExitCode.Done;
    }

    private static async Task<int> Stores(Session session)
    {
        var all = new ListStoresResponse();
        await Pages.Read(session, session.Value(Limit), async (size, token) =>
        {
            var page = await session.Drift.ListStoresAsync(new ListStoresRequest
            {
                Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "", PageSize = size, PageToken = token,
            }, session.Call);
            all.Stores.AddRange(page.Stores);
            all.NextPageToken = page.NextPageToken;
            return (page.Stores.Count, page.NextPageToken);
        });
        session.Answer.Print(all, () => StoreText.Print(session, all.Stores), () => all.Stores.Select(store => store.Store));
        return ExitCode.Done;
    }

    private static async Task<int> Sync(Session session)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        var store = await session.Drift.SyncStoreAsync(new SyncStoreRequest
        {
            Store = session.Value(Store)!, ReadAll = session.Value(ReadAll), ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
        var waits = !dryRun && !session.Value(NoWait);
        if (waits)
            store = await new SyncWait(session, store).Ended(session.Value(SharedOptions.Timeout) ?? TimeSpan.FromMinutes(5));
        session.Answer.Print(store, () => session.World.Out.WriteLine(waits ? StoreText.Line(store) : $"{store.Store}: {(dryRun ? "a pass would be asked for (dry run)" : "a pass is asked for")}"), () => [store.Store]);
        return waits && store.State != "ok" ? ExitCode.Failed : ExitCode.Done;
    }
}
