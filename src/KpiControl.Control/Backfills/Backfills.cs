using System.Globalization;
using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Audit;
using KpiControl.Control.Authoring;
using KpiControl.Control.Hosting;
using KpiControl.Control.Leases;
using KpiControl.Control.Operations;
using KpiControl.Control.Requests;
using KpiControl.Control.Runs;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Backfills;

/// <summary>A window of slots, run (again): asked for, shown, cancelled. The feeder does the rest.</summary>
internal static class Backfills
{
    private const int MostAtOnce = 16;

    public static async Task<Backfill> BackfillAsync(RequestTransaction tx, BackfillJobRequest request)
    {
        var binding = await BindingLookup.ResolveForEditAsync(tx, new(request.BindingId, request.Tenant, request.Environment, request.JobId), Verb.Backfill);
        var asked = Read(tx, request, binding);
        Triggers.DemandMayRun(await TriggerStore.FactsAsync(tx, binding.BindingId), binding);
        var schedule = BindingSchedule.Create(binding.BindingId, binding.ScheduleCron, binding.Timezone, await RunStore.DefinitionAsync(tx, binding.DefId), binding.CalendarJson, binding.OverridesJson);
        if (schedule is not { Schedule.HasSlots: true })
            throw Reject.Precondition("NO_SLOTS", $"{binding.BindingId}", "The job has no schedule, so a window has no slots: trigger it for a business date.");
        var slots = BackfillSlots.Of(schedule, asked.FirstDate, asked.LastDate, await RunStore.NowAsync(tx));
        if (slots.Count == 0)
            throw Reject.Invalid("first_date", "to last_date has no slot of the job's schedule that has come");
        if (asked.NewestFirst)
            slots.Reverse();
        // The region's lane behind everything live.
        await CursorStore.LaneAsync(tx, binding.Region, 6);
        var id = await BackfillStore.AddAsync(tx, asked);
        await BackfillStore.AddSlotsAsync(tx, id, asked, slots);
        await AuditStore.AppendAsync(tx, Entry(tx, binding, id, request.Reason) with
        {
            After = AuditEntry.Json(new { State = "running", FirstDate = Text(asked.FirstDate), LastDate = Text(asked.LastDate), Slots = slots.Count, asked.Rerun, asked.Parallelism }),
        });
        var made = ToProto((await BackfillStore.FindAsync(tx, id))!);
        foreach (var slot in await BackfillStore.AheadAsync(tx, id))
            made.FirstSlots.Add(new FireTime { At = slot.ToTimestamp(), BusinessDate = Text(schedule.BusinessDate(slot)) });
        // Ids of rows that are rolled back would be somebody else's later.
        if (request.ValidateOnly)
            made.BackfillId = 0;
        return made;
    }

    public static async Task<Backfill> GetAsync(RequestTransaction tx, long id) => ToProto(await FindAsync(tx, id, Verb.Read));

    public static async Task<ListBackfillsResponse> ListAsync(RequestTransaction tx, ListBackfillsRequest request)
    {
        var (paging, scope) = (Paging.Of(request), ReadScope.Of(tx.Caller, Verb.Read));
        var rows = await BackfillStore.ListAsync(tx, new
        {
            tenants = scope.Tenants, environments = scope.Environments, request.Tenant, request.Environment, binding = request.BindingId,
            after = paging.AfterNumber(), limit = paging.Size + 1,
        });
        var response = new ListBackfillsResponse();
        response.Backfills.AddRange(rows.Take(paging.Size).Select(ToProto));
        if (rows.Count > paging.Size)
            response.NextPageToken = Paging.Token(request, rows[paging.Size - 1].BackfillId.ToString(CultureInfo.InvariantCulture));
        return response;
    }

    public static async Task<Backfill> CancelAsync(RequestTransaction tx, CancelBackfillRequest request)
    {
        var row = await FindAsync(tx, request.BackfillId, Verb.Backfill);
        var binding = await BindingLookup.ResolveForEditAsync(tx, new(row.BindingId, "", "", ""), Verb.Backfill);
        if (!await BackfillStore.CancelAsync(tx, row.BackfillId))
            throw Reject.Precondition("BACKFILL_OVER", $"{row.BackfillId}", "The backfill is over.");
        foreach (var at in await BackfillStore.OpenAsync(tx, row.BackfillId))
            await Cancellations.EndIfOpenAsync(tx, binding, new SlotKey((row.RestatementId is null ? OccurrenceKind.Backfill : OccurrenceKind.Restatement).Word(), at).ToString(), request.Reason);
        await AuditStore.AppendAsync(tx, Entry(tx, binding, row.BackfillId, request.Reason) with
        {
            Before = AuditEntry.Json(new { State = "running" }), After = AuditEntry.Json(new { State = "cancelled" }),
        });
        return await GetAsync(tx, row.BackfillId);
    }

    private static async Task<BackfillRow> FindAsync(RequestTransaction tx, long id, Verb verb)
    {
        var what = string.Create(CultureInfo.InvariantCulture, $"The backfill {id}");
        var row = await BackfillStore.FindAsync(tx, id) ?? throw Reject.NotFound(what);
        tx.Demand(verb, row.TenantId, row.Environment, what);
        return row;
    }

    private static BackfillRow Read(RequestTransaction tx, BackfillJobRequest request, Binding binding)
    {
        if (request.Order is not ("" or "oldest" or "newest"))
            throw Reject.Invalid("order", "is neither oldest nor newest");
        if (request.Parallelism is < 0 or > MostAtOnce)
            throw Reject.Invalid("parallelism", $"is not from 1 to {MostAtOnce}");
        if (request.Parallelism > 1 && !binding.RunsBesideItself)
            throw Reject.Precondition("ONE_AT_A_TIME", $"{binding.BindingId}",
                "The job runs one occurrence at a time: write schedule.overlap: allow in its definition if its runs may stand side by side, or leave parallelism out and the slots run one after the other.");
        var (first, last) = (Date("first_date", request.FirstDate), Date("last_date", request.LastDate));
        if (last < first)
            throw Reject.Invalid("last_date", "lies before first_date");
        return new BackfillRow
        {
            BindingId = binding.BindingId, TenantId = binding.TenantId, FirstDate = first, LastDate = last, NewestFirst = request.Order == "newest",
            Rerun = request.RerunSucceeded, Parallelism = (short)Math.Max(1, request.Parallelism), Reason = request.Reason, RequestedBy = tx.Caller.Principal,
        };
    }

    private static DateOnly Date(string field, string text) =>
        RequestFields.BusinessDate(text, field) ?? throw Reject.Invalid(field, "is missing: a business date like 2026-01-31");

    private static string Text(DateOnly date) => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static Backfill ToProto(BackfillRow row)
    {
        var proto = new Backfill
        {
            BackfillId = row.BackfillId, BindingId = row.BindingId, Tenant = row.TenantId, Environment = row.Environment, JobId = row.JobId,
            FirstDate = Text(row.FirstDate), LastDate = Text(row.LastDate), Order = row.NewestFirst ? "newest" : "oldest", RerunSucceeded = row.Rerun, Parallelism = row.Parallelism, Reason = row.Reason,
            RequestedBy = row.RequestedBy, RestatementId = row.RestatementId ?? 0, CreatedAt = row.CreatedAt.ToTimestamp(), FinishedAt = row.FinishedAt?.ToTimestamp(),
            State = (row.CancelledAt, row.FinishedAt) switch { (null, null) => "running", (null, _) => "done", (_, null) => "cancelling", _ => "cancelled" },
        };
        foreach (var (state, count) in JsonSerializer.Deserialize<Dictionary<string, int>>(row.Counts ?? "{}")!)
            proto.Slots.Add(state, count);
        proto.Total = proto.Slots.Values.Sum();
        return proto;
    }

    private static AuditEntry Entry(RequestTransaction tx, Binding binding, long id, string reason) => new()
    {
        TenantId = binding.TenantId, Environment = binding.Environment, Actor = tx.Caller.Principal, Verb = nameof(Verb.Backfill),
        ObjectKind = "backfill", ObjectId = id.ToString(CultureInfo.InvariantCulture), Reason = reason,
    };
}
