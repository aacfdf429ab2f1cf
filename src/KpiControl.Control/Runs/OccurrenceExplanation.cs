using KpiControl.Control.Authoring;
using KpiControl.Control.Database;
using KpiControl.Control.Hosting;
using KpiControl.Control.Leases;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Control.Signals;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Runs;

/// <summary>Why an occurrence ran, waits, was skipped or did not run: finds it, and gathers its facts.</summary>
internal sealed class OccurrenceExplanation(Databases databases, DependencyWaits waits)
{
    public async Task<ExplainOccurrenceResponse> ExplainAsync(Caller caller, ExplainOccurrenceRequest request, CancellationToken token)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, caller, token);
        var binding = await BindingLookup.ResolveAsync(tx, new BindingKey(request.BindingId, request.Tenant, request.Environment, request.JobId), Verb.Read);
        var open = await ExplainStore.OpenAsync(tx, binding.BindingId);
        var slot = await FindAsync(tx, request, binding, open);
        var facts = await GatherAsync(tx, binding, slot, open);
        facts = await WithCausesAsync(tx, facts);
        return OccurrenceStory.Tell(facts with { IsAnswerToNothing = request.SlotKey.Length == 0 && request.At is null });
    }

    private async Task<OccurrenceFacts> GatherAsync(RequestTransaction tx, Binding binding, SlotKey slot, IReadOnlyList<OpenRow> open)
    {
        var (id, now) = (binding.BindingId, await RunStore.NowAsync(tx));
        var revision = await ExplainStore.RevisionAsync(tx, id, slot.ScheduledFor);
        var runs = await RunStore.OfSlotAsync(tx, id, slot);
        var mine = open.FirstOrDefault(o => o.Covers(slot));
        var until = runs.LastOrDefault(r => r.Final)?.RecordedAt ?? (slot.ScheduledFor > now ? slot.ScheduledFor : now);
        return new OccurrenceFacts
        {
            Binding = binding, Slot = slot, Now = now, Revision = revision, Job = revision is null ? null : ArtifactReader.Read(revision.CanonicalJson, ArtifactFormat.Json).Job,
            ContractStatus = await CauseStore.ContractStatusAsync(tx, binding),
            Schedule = revision is null ? null : BindingSchedule.Create(id, revision.ScheduleCron, revision.Timezone, revision.CanonicalJson, revision.CalendarJson, revision.OverridesJson),
            Pauses = await ExplainStore.PausesAsync(tx, id, slot.ScheduledFor, until), Overrides = await ExplainStore.OverridesAsync(tx, id, slot.ScheduledFor, until),
            LaterRevisions = mine is null && runs.Count == 0 ? [] : await ExplainStore.LaterRevisionsAsync(tx, id, slot.ScheduledFor, until),
            AskedFor = slot.Kind switch
            {
                "schedule" => null,
                "backfill" or "restatement" => await ExplainStore.BackfillAsync(tx, id, slot),
                _ => await ExplainStore.RequestAsync(tx, binding.TenantId, id, slot),
            },
            Runs = runs, LateReports = await RunStore.LateReportsAsync(tx, id, slot),
            Cursor = await ExplainStore.CursorAsync(tx, id), Open = mine,
            Holder = open.FirstOrDefault(o => o.State != "queued"),
            Missing = [.. (await waits.MissingAsync([id], tx.Token))[id].Where(m => m.ScheduledFor == slot.ScheduledFor)],
            Agents = await ExplainStore.AgentsAsync(tx, binding.TenantId, binding.Region), Needs = OccurrenceRouting.NeedsOf(await RunStore.DefinitionAsync(tx, binding.DefId)),
        };
    }

    // What only some occurrences have is read for those.
    private static async Task<OccurrenceFacts> WithCausesAsync(RequestTransaction tx, OccurrenceFacts facts)
    {
        var (id, slot, reason) = (facts.Binding.BindingId, facts.Slot, facts.Final?.Reason);
        var (contract, date) = ($"{facts.Job?.KpiId}@{facts.Job?.ContractVersion}", facts.BusinessDate);
        var isLate = OccurrenceCauses.Began(facts) > slot.ScheduledFor;
        return facts with
        {
            HeldBy = slot.Kind == "schedule" && (reason == SkipReason.Overlap || isLate && facts.Job?.Schedule.Overlap != "allow") ? await CauseStore.HolderAsync(tx, id, slot) : null,
            InItsPlace = reason == SkipReason.Superseded ? await CauseStore.InItsPlaceAsync(tx, id, facts.Final!.SlotLast ?? slot.ScheduledFor) : null,
            OfTheDate = date is { } ran ? await CauseStore.OfTheDateAsync(tx, id, slot, ran) : [],
            Arrivals = date is { } reported && facts is { Job.Dependencies: { } needs, Schedule.Schedule: { } schedule } && needs.Gdp.Count + needs.Signals.Count + needs.Kpis.Count > 0
                ? await CauseStore.ArrivalsAsync(tx, id, slot.ScheduledFor, reported, schedule.EndOf(reported)) : [],
            ContractMove = reason == SkipReason.ContractInactive ? await CauseStore.ContractMoveAsync(tx, facts.Binding.TenantId, contract, facts.Revision!.EffectiveFrom, facts.Final!.RecordedAt) : null,
        };
    }

    private static async Task<SlotKey> FindAsync(RequestTransaction tx, ExplainOccurrenceRequest request, Binding binding, IReadOnlyList<OpenRow> open)
    {
        if (request.SlotKey.Length > 0)
            return SlotKey.Parse(request.SlotKey) ?? throw Reject.Invalid("slot_key", "is not one like schedule:2026-01-02T02:00:00Z or manual:2026-01-02T09:30:00.123456Z");
        if (request.At is { } asked)
            return await AtOrBeforeAsync(tx, binding, open, EndOfWhatIsShown(asked.ToDateTimeOffset()));
        if (open is [var first, ..])
            return new SlotKey(first.Kind, first.ScheduledFor);
        if (await ExplainStore.LastEndedAsync(tx, binding.BindingId) is { } ended)
            return new SlotKey(ended.Kind, ended.ScheduledFor);
        return (await ExplainStore.CursorAsync(tx, binding.BindingId))?.NextRunAt is { } next ? new SlotKey("schedule", next)
            : throw Reject.Invalid("at", "is missing: nothing of the job has run, is open or is scheduled; trigger it, or name an instant");
    }

    // Tables show whole seconds, and what people ask for begins within the second: an instant without a fraction is all of it.
    private static DateTimeOffset EndOfWhatIsShown(DateTimeOffset at) =>
        at.Ticks % TimeSpan.TicksPerSecond == 0 ? at.AddTicks(TimeSpan.TicksPerSecond - TimeSpan.TicksPerMicrosecond) : at;

    private static async Task<SlotKey> AtOrBeforeAsync(RequestTransaction tx, Binding binding, IReadOnlyList<OpenRow> open, DateTimeOffset at)
    {
        var revision = await ExplainStore.RevisionAsync(tx, binding.BindingId, at);
        var schedule = revision is null ? null : BindingSchedule.Create(binding.BindingId, revision.ScheduleCron, revision.Timezone, revision.CanonicalJson, revision.CalendarJson, revision.OverridesJson);
        // Slots stand at whole seconds: the last one before the next second is the one at or before the instant.
        var second = at.AddTicks(-(at.Ticks % TimeSpan.TicksPerSecond));
        // A time that the expression has and the weekend takes away is what was asked about, and no slot.
        if (schedule?.Schedule.DayOffAt(second) is not null)
            return new SlotKey("schedule", second);
        var slot = schedule?.Schedule.PreviousExpected(second.AddSeconds(1));
        var byHand = open.Where(o => o.Kind != "schedule" && o.ScheduledFor <= at).Select(o => new SlotKey(o.Kind, o.ScheduledFor)).ToList();
        if (await ExplainStore.NearestByHandAsync(tx, binding.BindingId, slot ?? DateTimeOffset.UnixEpoch, at) is { } recorded)
            byHand.Add(new SlotKey(recorded.Kind, recorded.ScheduledFor));
        if (slot is { } found)
            byHand.Add(new SlotKey("schedule", found));
        return byHand.Count > 0 ? byHand.MaxBy(s => s.ScheduledFor) : new SlotKey("schedule", at);
    }
}
