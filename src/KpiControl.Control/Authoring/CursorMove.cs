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
    public static async Task ApplyAsync(RequestTransaction tx, Binding was, Binding edited, JobArtifact wasJob, JobArtifact job, short lane)
    {
        var cursor = await CursorStore.LockAsync(tx, was.BindingId);
        var schedule = BoundJob.Schedule(JobEdit.InForce(job, edited), was.BindingId);
        var isSame = was.ActiveFlag == edited.ActiveFlag && JobEdit.InForce(wasJob, was).HasSlotsOf(JobEdit.InForce(job, edited));
        if (!isSame && cursor.NextRunAt <= cursor.Now)
            await SkipAsync(tx, was, wasJob, cursor);
        // Under the same schedule what is due stays due: an edit of something else drops no slot.
        var next = !edited.ActiveFlag ? null : isSame && cursor.NextRunAt is { } kept ? kept : schedule.Next(cursor.Now);
        await CursorStore.PutAsync(tx, was.BindingId, cursor, lane, edited.ActiveFlag, next);
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
