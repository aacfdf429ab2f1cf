using System.Globalization;
using KpiControl.Control.Overrides;
using KpiControl.Control.Requests;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Runs;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Control.Authoring;

/// <summary>
/// Where the cursor goes when another schedule comes into force: never into the past, and no slot of the schedule before
/// is left without a disposition.
/// </summary>
internal static class CursorMove
{
    private const int MostCompared = 10_000;

    /// <param name="cursors">By binding, held.</param>
    /// <param name="lanes">By region and priority.</param>
    public static async Task ApplyAsync(
        RequestTransaction tx, IReadOnlyList<EnteringJob> entering, IReadOnlyDictionary<long, CursorRow> cursors, IReadOnlyDictionary<(string Region, int Priority), short> lanes)
    {
        var moved = new List<MovedCursor>();
        foreach (var one in entering)
        {
            var (was, edited, wasJob, job, _) = one;
            var cursor = cursors[was.BindingId];
            var lane = lanes[(was.Region, one.PriorityAt(cursor.Now))];
            var isSame = was.ActiveFlag == edited.ActiveFlag && JobEdit.InForce(wasJob, was).HasSlotsOf(JobEdit.InForce(job, edited)) && Over(was, cursor) == Over(edited, cursor);
            // Of another version of the calendar what is due stays due where both say the same of it; ahead the new one counts.
            if (isSame && was.CalendarVersion != edited.CalendarVersion)
                isSame = cursor.NextRunAt <= cursor.Now && Agree(BoundJob.Schedule(wasJob, was), BoundJob.Schedule(job, edited), cursor);
            if (!isSame && cursor.NextRunAt <= cursor.Now)
                await SkipAsync(tx, was, wasJob, cursor);
            // Under the same schedule what is due stays due: an edit of something else drops no slot.
            var next = !edited.ActiveFlag ? null : isSame && cursor.NextRunAt is { } kept ? kept : BoundJob.Schedule(job, edited).NextExpected(cursor.Now);
            moved.Add(new MovedCursor(was.BindingId, cursor.Revision + 1, lane, Math.Abs(cursor.Lane), edited.ActiveFlag, next));
        }
        await CursorStore.PutAsync(tx, moved);
        foreach (var lane in moved.Select(cursor => cursor.Lane).Distinct())
            await CursorStore.TellAsync(tx, string.Create(CultureInfo.InvariantCulture, $"lane {lane}"));
    }

    // One that stood over slots before the cursor alone has nothing to do with those from there on.
    private static StandingOverride? Over(Binding binding, CursorRow cursor) =>
        binding.Overrides.Of(OverrideKind.Schedule) is { } over && (cursor.NextRunAt is null || over.ExpiresAt > cursor.NextRunAt) ? over : null;

    private static async Task SkipAsync(RequestTransaction tx, Binding was, JobArtifact wasJob, CursorRow cursor)
    {
        var schedule = BoundJob.Schedule(wasJob, was);
        foreach (var skipped in MissedSlots.LeftBehind(schedule, cursor.Paused ? SkipReason.Paused : SkipReason.Superseded, cursor.NextRunAt!.Value, cursor.Now))
            await CursorStore.SkipAsync(tx, was, cursor, skipped, schedule.BusinessDate(skipped.Range.First, wasJob.Dependencies.BusinessDate));
    }

    private static bool Agree(JobSchedule was, JobSchedule now, CursorRow cursor)
    {
        var slot = cursor.NextRunAt;
        for (var looked = 0; slot is { } due && due <= cursor.Now; looked++)
        {
            if (looked == MostCompared || !now.IsExpected(due) || was.ExceptionAt(due) != now.ExceptionAt(due))
                return false;
            slot = was.NextExpected(due);
            // What lies ahead is the new one's to say.
            if (now.NextExpected(due) is var other && other != slot && (slot <= cursor.Now || other <= cursor.Now))
                return false;
        }
        return true;
    }
}
