using KpiControl.Control.Database;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Leases;

/// <summary>
/// Shows which ready occurrences no agent of the cluster can take: in a region without agents, or with a connection, a label or a
/// tenant that none serves; and sees that none of them waits for ever (<see cref="StartBy"/>). It writes where that changed and nowhere else; dispatch asks nothing of it.
/// </summary>
internal sealed partial class RouteChecker(RouteStore store, PlanCache plans, IOptions<LeaseOptions> options, TimeProvider time, ILogger<RouteChecker> logger) : PeriodicWork(time)
{
    // A page a pass, round and round: what waits for credit at midnight may be many.
    private long _after;

    protected override TimeSpan Every => options.Value.UnroutableAfter;

    protected override async Task PassAsync(CancellationToken token)
    {
        var rows = await store.PageAsync(_after, options.Value.UnroutableAfter, token);
        _after = rows.Count == RouteStore.PageSize ? rows[^1].BindingId : 0;
        if (rows.Count == 0)
            return;
        var planned = await plans.PlannedAsync(rows, row => new PlanKey(row.BindingId, row.Revision), token);
        var agents = await store.AgentsAsync(token);
        var changes = planned.Select(p => Change(p.Row, p.Plan, agents, options.Value.UnroutableGivesUpAfter)).OfType<RouteChange>().ToList();
        if (changes.Count > 0 && await store.ShowAsync(changes, token) > 0)
            foreach (var group in changes.Where(c => c.Reason == WaitingFor.Agent && c.Row.Reason != c.Reason).GroupBy(c => (c.Plan.Region, c.Plan.Tenant, c.Plan.Job.Run.ConnId)))
                Log.Unroutable(logger, group.Count(), group.Key.Region, group.Key.Tenant, group.Key.ConnId);
    }

    protected override void Away(Exception error) => Log.Away(logger, error.Message);

    private static RouteChange? Change(RoutedRow row, BindingPlan plan, IReadOnlyList<ConnectedAgent> agents, TimeSpan unroutableGivesUpAfter)
    {
        var isRoutable = agents.Any(agent => agent.CanRun(plan));
        var isShown = (row.Reason == WaitingFor.Agent) != isRoutable;
        var deadline = StartBy.Of(row, plan, isRoutable, isShown, unroutableGivesUpAfter);
        return isShown && deadline == row.Deadline ? null
            : new RouteChange(row, plan, isShown ? row.Reason : isRoutable ? WaitingFor.Credit : WaitingFor.Agent, deadline);
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 380, Level = LogLevel.Warning, Message = "{Count} ready occurrences cannot be routed: no connected agent in region {Region} serves tenant {Tenant} with connection {Connection} and the labels they ask for")]
        public static partial void Unroutable(ILogger logger, int count, string region, string tenant, string connection);

        [LoggerMessage(EventId = 381, Level = LogLevel.Warning, Message = "What cannot be routed is not looked at, the database is away: {Error}")]
        public static partial void Away(ILogger logger, string error);
    }
}
