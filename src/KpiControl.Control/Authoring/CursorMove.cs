using System.Globalization;
using KpiControl.Control.Requests;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Control.Authoring;

/// <summary>
/// Where the cursor goes when another schedule comes into force: never into the past, and no slot of the schedule before
/// is left without a disposition.
/// </summary>
internal static class CursorMove
{
    /// <param name="lanes">By region and priority.</param>
    public static async Task ApplyAsync(RequestTransaction tx, IReadOnlyList<EnteringJob> entering, IReadOnlyDictionary<(string Region, int Priority), short> lanes)
    {
        var cursors = await CursorStore.LockAsync(tx, [.. entering.Select(job => job.Was.BindingId)]);
        var moved = new List<MovedCursor>();
        foreach (var (was, edited, wasJob, job, _) in entering)
        {
            var (cursor, lane) = (cursors[was.BindingId], lanes[(was.Region, job.Run.Priority)]);
            var isSame = was.ActiveFlag == edited.ActiveFlag && JobEdit.InForce(wasJob, was).HasSlotsOf(JobEdit.InForce(job, edited));
            if (!isSame && cursor.NextRunAt <= cursor.Now)
                await SkipAsync(tx, was, wasJob, cursor);
            // Under the same schedule what is due stays due: an edit of something else drops no slot.
            var next = !edited.ActiveFlag ? null : isSame && cursor.NextRunAt is { } kept ? kept : BoundJob.Schedule(JobEdit.InForce(job, edited), was.BindingId).Next(cursor.Now);
            moved.Add(new MovedCursor(was.BindingId, cursor.Revision + 1, lane, Math.Abs(cursor.Lane), edited.ActiveFlag, next));
        }
        await CursorStore.PutAsync(tx, moved);
        foreach (var lane in moved.Select(cursor => cursor.Lane).Distinct())
            await CursorStore.TellAsync(tx, string.Create(CultureInfo.InvariantCulture, $"lane {lane}"));
    }

    private static async Task SkipAsync(RequestTransaction tx, Binding was, JobArtifact wasJob, CursorRow cursor)
    {
        var schedule = BoundJob.Schedule(JobEdit.InForce(wasJob, was), was.BindingId);
        var first = cursor.NextRunAt!.Value;
        var slots = SlotRange.One(first);
        foreach (var slot in schedule.Slots(first, cursor.Now))
            slots = slots with { Last = slot, Count = slots.Count + 1 };
        await CursorStore.SkipAsync(tx, was, cursor, slots, schedule.BusinessDate(first, wasJob.Dependencies.BusinessDate));
    }
}
