using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Authoring;
using KpiControl.Control.Overrides;
using KpiControl.Control.Requests;
using KpiControl.Control.Runs;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;
using KpiControl.Jobs.Schedules;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Catalog;

/// <summary>Puts a version of a calendar in force for the jobs that use it: their next revisions, and their cursors.</summary>
internal static class CalendarMoves
{
    private const int NextShown = 5, MostListed = 20;

    /// <param name="bindings">Held for the transaction.</param>
    /// <returns>What it moves; jobs of which nothing moves are left out.</returns>
    public static async Task<IReadOnlyList<CalendarMove>> ApplyAsync(RequestTransaction tx, IReadOnlyList<Binding> bindings, CalendarRow calendar)
    {
        if (bindings.Count == 0)
            return [];
        var why = FormattableString.Invariant($"calendar {calendar.Name} version {calendar.Version}");
        var now = await CursorStore.NowAsync(tx);
        var (entering, moves) = (new List<EnteringJob>(), new List<CalendarMove>());
        foreach (var binding in bindings)
        {
            var job = ArtifactReader.ReadCanonical((await JobStore.FindAsync(tx, binding.BindingId)).CanonicalJson)
                ?? throw new InvalidOperationException($"The definition of binding {binding.BindingId} cannot be read.");
            var edited = binding with { CalendarVersion = calendar.Version, CalendarJson = calendar.CanonicalJson };
            DemandSchedule(job, edited, calendar);
            var move = Describe(job, binding, edited, now);
            entering.Add(new EnteringJob(binding, edited, job, job, new Rebinding(why, IsRelease: move is not null)));
            if (move is not null)
                moves.Add(move);
        }
        if (!await PlacementStore.RepinAsync(tx, bindings, calendar.Version))
            throw new InvalidOperationException("A binding changed while it was held.");
        await JobRebind.PutInForceAsync(tx, entering);
        return moves;
    }

    // A version without fiscal periods under a job that counts from them: the job would have no schedule at all.
    private static void DemandSchedule(JobArtifact job, Binding edited, CalendarRow calendar)
    {
        // Its own, and what stands over it.
        var own = JobEdit.InForce(job, edited);
        var specs = edited.Overrides.Of(OverrideKind.Schedule) is { } over ? [own, own with { Expression = over.Value }] : new[] { own };
        if (specs.SelectMany(spec => CalendarCheck.Check(job with { Schedule = spec }, calendar.Understand(), [])).FirstOrDefault() is { } finding)
            throw Hosting.Reject.Precondition("CALENDAR_IN_USE", $"{edited.TenantId}/{edited.Environment}/{edited.JobId}",
                $"The job {edited.Environment}/{edited.JobId} could not be scheduled by this version: {finding.Message}");
    }

    private static CalendarMove? Describe(JobArtifact job, Binding was, Binding edited, DateTimeOffset now)
    {
        var (before, after) = (BoundJob.Schedule(job, was), BoundJob.Schedule(job, edited));
        var moved = ScheduleMove.Between(before, after, now);
        if (!moved.Moves)
            return null;
        var mode = job.Dependencies.BusinessDate;
        var move = new CalendarMove
        {
            BindingId = was.BindingId, Environment = was.Environment, JobId = was.JobId, FromVersion = was.CalendarVersion ?? 0,
            RemovedCount = moved.Removed.Count, AddedCount = moved.Added.Count, ComparedUntil = moved.ComparedUntil.ToTimestamp(),
        };
        move.Before.AddRange(Next(before, mode, edited.Timezone, now));
        move.After.AddRange(Next(after, mode, edited.Timezone, now));
        move.Removed.AddRange(moved.Removed.Take(MostListed).Select(slot => slot.ToTimestamp()));
        move.Added.AddRange(moved.Added.Take(MostListed).Select(slot => slot.ToTimestamp()));
        return move;
    }

    private static IEnumerable<FireTime> Next(JobSchedule schedule, string mode, string timezone, DateTimeOffset now) =>
        schedule.Slots(now, now.AddYears(10)).Take(NextShown).Select(slot => SchedulePreview.FireTime(slot, new BindingSchedule(schedule, mode), TimeZoneInfo.FindSystemTimeZoneById(timezone)));
}
