using KpiControl.Control.Changes;
using KpiControl.Control.Requests;

namespace KpiControl.Control.Evidence;

/// <summary>A change that was released, and who agreed to it in which way.</summary>
/// <param name="Review">Null: it was not released by breaking the glass.</param>
internal sealed record AgreedChange(ChangeRow Change, IReadOnlyList<DecisionRow> Decisions, IReadOnlyList<BreakGlassRow> BreakGlass, ReviewRow? Review)
{
    /// <summary>The instants of what was done with it: its audit rows have the same.</summary>
    public IEnumerable<DateTimeOffset> Acts =>
    [
        Change.ProposedAt, .. Decisions.Select(d => d.DecidedAt), .. BreakGlass.Select(a => a.DecidedAt), .. new[] { Review?.OpenedAt, Review?.ClosedAt }.OfType<DateTimeOffset>(),
    ];

    public static async Task<AgreedChange> FindAsync(RequestTransaction tx, long id) => new(
        await ChangeStore.FindAsync(tx, id) ?? throw new InvalidOperationException("A change that released a revision is gone."),
        [.. (await ChangeStore.DecisionsAsync(tx, id))[id]], await BreakGlassStore.ApprovalsAsync(tx, id), await BreakGlassStore.ReviewAsync(tx, id));
}
