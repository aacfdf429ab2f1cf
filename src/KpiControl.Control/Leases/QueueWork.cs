using KpiControl.Control.Signals;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Leases;

/// <summary>Opens what queues behind bindings that are free now.</summary>
internal sealed class QueueWork(QueueStore store, OvertakeStore overtakes, AsideStore asides, PlanCache plans, DependencyWaits waits, IOptions<LeaseOptions> options)
{
    /// <returns>Whether anything opened, so that there may be more.</returns>
    public async Task<bool> PromoteAsync(LaneView view, CancellationToken token)
    {
        await overtakes.OvertakeAsync(view.Lane.Number, token);
        await asides.MakeRoomAsync(view.Lane.Number, token);
        var rows = await store.NextAsync(view.Lane.Number, options.Value.BatchSize, token);
        if (rows.Count == 0)
            return false;
        var promotions = await UnderstandAsync(rows, plans, token);
        if (promotions.Count == 0)
            return false;
        var opened = (await store.PromoteAsync(promotions, token)).ToHashSet();
        var waiting = promotions.Where(p => p.WaitsForDependencies && opened.Contains(p.Row.BindingId)).Select(p => p.Row.BindingId).ToList();
        if (waiting.Count > 0)
            await waits.BeginAsync(waiting, token);
        view.MarkReadyDirty();
        if (rows.Count == options.Value.BatchSize)
            view.MarkQueueDirty();
        return opened.Count > 0;
    }

    /// <summary>In order of their bindings; one whose plan cannot be understood is left where it is.</summary>
    public static async Task<List<Promotion>> UnderstandAsync(IReadOnlyList<QueuedRow> rows, PlanCache plans, CancellationToken token)
    {
        var current = await plans.PlannedAsync(rows, row => new PlanKey(row.BindingId, row.Revision), token);
        var both = await plans.PlannedAsync(current, c => new PlanKey(c.Row.BindingId, c.Row.QueuedUnder), token);
        return [.. both.Select(b => new Promotion(b.Row.Row, b.Row.Plan, b.Plan)).OrderBy(p => p.Row.BindingId)];
    }
}
