using KpiControl.Control.Audit;
using KpiControl.Control.Authoring;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Catalog;

/// <summary>Calendars: a version never changes, the latest is in force, and what uses it moves with it.</summary>
internal static class Calendars
{
    public static async Task<Calendar> PutAsync(RequestTransaction tx, PutCalendarRequest request)
    {
        var tenant = RequestFields.TenantToChange(tx, request.Tenant, Verb.Publish);
        var format = RequestFields.Format(request.Format);
        var reading = CalendarReader.Read(RequestFields.Required("content", request.Content), format);
        FindingMapping.DemandNoErrors(reading.Findings);
        if (await Tenants.TenantStore.PlacementAsync(tx, tenant, "dev") is null)
            throw Reject.NotFound($"The tenant {tenant}");
        var name = reading.Calendar!.Name;
        var bindings = await HoldAsync(tx, tenant, name);
        var latest = await CalendarStore.FindAsync(tx, tenant, name);
        if (latest?.Digest == reading.Digest)
            return Answer(latest!, reading.Findings);
        await CalendarStore.InsertAsync(tx, new CalendarRow
        {
            TenantId = tenant, Name = name, Version = (latest?.Version ?? 0) + 1, Digest = reading.Digest!, Format = format.Word(), Content = request.Content,
            CanonicalJson = reading.CanonicalJson!, CreatedBy = tx.Caller.Principal, Reason = request.Reason,
        });
        await AuditStore.AppendAsync(tx, new AuditEntry
        {
            TenantId = tenant, Actor = tx.Caller.Principal, Verb = nameof(Verb.Publish), ObjectKind = "calendar", ObjectId = name, Reason = request.Reason,
            Before = latest is null ? null : AuditEntry.Json(new { latest.Version, latest.Digest }),
            After = AuditEntry.Json(new { Version = (latest?.Version ?? 0) + 1, reading.Digest, Bindings = bindings.Count }),
        });
        var stored = await CalendarStore.FindAsync(tx, tenant, name) ?? throw new InvalidOperationException("A calendar that was stored is gone.");
        var moves = await CalendarMoves.ApplyAsync(tx, bindings, stored);
        // Read again: who has it in force now.
        var answer = Answer(await CalendarStore.FindAsync(tx, tenant, name) ?? stored, reading.Findings);
        answer.Created = true;
        answer.Moves.AddRange(moves);
        return answer;
    }

    public static async Task<CalendarRow> FindAsync(RequestTransaction tx, string tenant, string name, int version) =>
        await CalendarStore.FindAsync(tx, tenant, name, version)
            ?? throw Reject.NotFound(version == 0 ? $"The calendar {name}" : FormattableString.Invariant($"The calendar {name} version {version}"));

    // Bindings first, then the calendar: as whoever pins it does.
    private static async Task<List<Binding>> HoldAsync(RequestTransaction tx, string tenant, string name)
    {
        var bindings = new List<Binding>();
        foreach (var id in await CalendarStore.UsingAsync(tx, tenant, name))
        {
            var binding = await BindingStore.FindForEditAsync(tx, new BindingKey(id, "", "", "")) ?? throw new InvalidOperationException("A binding that was listed is gone.");
            // Rebound to another calendar while this waited for it.
            if (binding.Calendar != name)
                continue;
            tx.Demand(Verb.Publish, binding.TenantId, binding.Environment, $"The job {binding.BindingId}");
            bindings.Add(binding);
        }
        await CalendarStore.LockAsync(tx, tenant, name);
        if (!(await CalendarStore.UsingAsync(tx, tenant, name)).SequenceEqual(bindings.Select(binding => binding.BindingId)))
            throw Reject.Aborted("CALENDAR_MOVED", $"Another job began to use the calendar {name} at the same moment; try again.");
        return bindings;
    }

    private static Calendar Answer(CalendarRow row, IReadOnlyList<Jobs.Artifacts.Finding> findings)
    {
        var answer = row.ToProto(withContent: true);
        answer.Findings.AddRange(findings.Select(finding => finding.ToProto()));
        return answer;
    }
}
