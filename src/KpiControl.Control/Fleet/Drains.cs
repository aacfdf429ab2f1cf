using KpiControl.Control.Audit;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Fleet;

/// <summary>An operator takes an agent out of service, and puts it back.</summary>
internal static class Drains
{
    public static Task<Agent> DrainAsync(RequestTransaction tx, DrainAgentRequest request) =>
        ChangeAsync(tx, Verb.Pause, request.Agent, request.Reason, agent => FleetStore.DrainAsync(tx, agent, request.Reason));

    public static Task<Agent> ResumeAsync(RequestTransaction tx, ResumeAgentRequest request) =>
        ChangeAsync(tx, Verb.Resume, request.Agent, request.Reason, agent => FleetStore.ResumeAsync(tx, agent));

    private static async Task<Agent> ChangeAsync(RequestTransaction tx, Verb verb, string agent, string reason, Func<string, Task<bool>> change)
    {
        // An agent may serve several tenants: the administrator of one is not asked.
        if (!tx.Caller.MayEverywhere(verb))
            throw Reject.Denied($"{verb} in every tenant and environment");
        var isChanged = await change(RequestFields.Required("agent", agent));
        var row = await FleetStore.FindAsync(tx, agent) ?? throw Reject.NotFound($"The agent {agent}");
        if (isChanged)
            await AuditStore.AppendAsync(tx, new AuditEntry
            {
                TenantId = "*", Actor = tx.Caller.Principal, Verb = verb.ToString(), ObjectKind = "agent", ObjectId = agent, Reason = reason,
                Before = AuditEntry.Json(new { Drained = verb != Verb.Pause }), After = AuditEntry.Json(new { Drained = verb == Verb.Pause, row.Leased }),
            });
        return row.ToProto();
    }
}
