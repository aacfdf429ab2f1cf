using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Audit;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Certificates;

/// <summary>Operators let agents in, and shut them out.</summary>
internal static class Enrolments
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMinutes(1), Usual = TimeSpan.FromHours(1), Longest = TimeSpan.FromDays(7);

    public static async Task<Enrolment> CreateAsync(RequestTransaction tx, CreateEnrolmentRequest request, EnrolmentToken token)
    {
        DemandOperator(tx.Caller);
        var agent = RequestFields.Required("agent", request.Agent);
        if (!AgentUri.IsName(agent.EndsWith('*') ? agent[..^1] : agent))
            throw Reject.Invalid("agent", "is no name of letters, digits, '.', '_' and '-' (up to 100, beginning with a letter or digit), nor the beginning of one and a star");
        var tenants = await PlacedAsync(tx, request.Region, request.Tenants);
        var validFor = request.ValidFor is null ? Usual : Bounded(request.ValidFor);
        var row = await EnrolmentStore.CreateAsync(tx, token.Hash, agent, request.Region, tenants, request.Reason, validFor);
        await AuditStore.AppendAsync(tx, Entry(tx, "enrolment", $"{row.EnrolmentId}", request.Reason, null, AuditEntry.Json(new { row.Agent, row.Region, row.Tenants, row.ExpiresAt })));
        return row.ToProto();
    }

    public static async Task<Enrolment> RevokeAsync(RequestTransaction tx, RevokeEnrolmentRequest request)
    {
        DemandOperator(tx.Caller);
        var isNew = await EnrolmentStore.RevokeAsync(tx, request.EnrolmentId);
        var row = await EnrolmentStore.FindAsync(tx, request.EnrolmentId) ?? throw Reject.NotFound($"The enrolment {request.EnrolmentId}");
        if (row.State == "used")
            throw Reject.Precondition("ENROLMENT_USED", "enrolment_id", $"The token was used for the agent {row.UsedBy}: revoke the agent.");
        if (isNew)
            await AuditStore.AppendAsync(tx, Entry(tx, "enrolment", $"{row.EnrolmentId}", request.Reason, AuditEntry.Json(new { State = "open" }), AuditEntry.Json(new { row.State })));
        return row.ToProto();
    }

    public static async Task<AgentRegistration> RegisterAsync(RequestTransaction tx, RegisterAgentRequest request)
    {
        DemandOperator(tx.Caller);
        var agent = RequestFields.Required("agent", request.Agent);
        if (!AgentUri.IsName(agent))
            throw Reject.Invalid("agent", "is no name of letters, digits, '.', '_' and '-' (up to 100, beginning with a letter or digit)");
        var tenants = await PlacedAsync(tx, request.Region, request.Tenants);
        await EnrolmentStore.HoldAsync(tx, agent);
        var before = await EnrolmentStore.RegistrationAsync(tx, agent);
        await EnrolmentStore.RegisterAsync(tx, agent, request.Region, tenants);
        var after = (await EnrolmentStore.RegistrationAsync(tx, agent))!;
        await AuditStore.AppendAsync(tx, Entry(tx, "agent", agent, request.Reason, before is null ? null : Facts(before), Facts(after)));
        return after.ToProto();
    }

    public static async Task<AgentRegistration> RevokeAgentAsync(RequestTransaction tx, RevokeAgentRequest request)
    {
        DemandOperator(tx.Caller);
        var agent = RequestFields.Required("agent", request.Agent);
        var isNew = await EnrolmentStore.RevokeAgentAsync(tx, agent, RequestFields.Required("reason", request.Reason));
        var row = await EnrolmentStore.RegistrationAsync(tx, agent) ?? throw Reject.NotFound($"The agent {agent}");
        if (isNew)
            await AuditStore.AppendAsync(tx, Entry(tx, "agent", agent, request.Reason, AuditEntry.Json(new { Revoked = false }), AuditEntry.Json(new { Revoked = true })));
        return row.ToProto();
    }

    // An agent may serve several tenants: the administrator of one is not asked.
    public static void DemandOperator(Caller caller)
    {
        if (!caller.MayEverywhere(Verb.FleetManage))
            throw Reject.Denied($"{nameof(Verb.FleetManage)} in every tenant and environment");
    }

    private static async Task<string[]> PlacedAsync(RequestTransaction tx, string region, IReadOnlyCollection<string> tenants)
    {
        if (!AgentUri.IsRegion(RequestFields.Required("region", region)))
            throw Reject.Invalid("region", "is no region's name, like eu");
        string[] distinct = [.. tenants.Distinct().Order(StringComparer.Ordinal)];
        if (distinct.Length is 0 or > 1000)
            throw Reject.Invalid("tenants", "must name the tenants that the agent serves, at most 1000");
        if (await EnrolmentStore.MisplacedAsync(tx, region, distinct) is { } misplaced)
            throw Reject.Invalid("tenants", $"'{Short(misplaced)}' is not known, or not allowed in the region");
        return distinct;
    }

    private static TimeSpan Bounded(Duration validFor) =>
        validFor.Seconds >= Shortest.TotalSeconds && validFor.Seconds <= Longest.TotalSeconds ? TimeSpan.FromSeconds(validFor.Seconds)
            : throw Reject.Invalid("valid_for", "must be from a minute to seven days");

    private static string Short(string text) => text.Length <= 64 ? text : text[..64] + "…";

    private static AuditEntry Entry(RequestTransaction tx, string kind, string id, string reason, string? before, string? after) => new()
    {
        TenantId = "*", Actor = tx.Caller.Principal, Verb = nameof(Verb.FleetManage), ObjectKind = kind, ObjectId = id, Reason = reason, Before = before, After = after,
    };

    private static string Facts(RegistrationRow row) => AuditEntry.Json(new { row.Region, row.Tenants, Revoked = row.RevokedAt is not null });

    public static Enrolment ToProto(this EnrolmentRow row)
    {
        var proto = new Enrolment
        {
            EnrolmentId = row.EnrolmentId, Agent = row.Agent, Region = row.Region, State = row.State, CreatedBy = row.CreatedBy, UsedBy = row.UsedBy ?? "", Reason = row.Reason,
            CreatedAt = Timestamp.FromDateTimeOffset(row.CreatedAt), ExpiresAt = Timestamp.FromDateTimeOffset(row.ExpiresAt),
            UsedAt = row.UsedAt is { } used ? Timestamp.FromDateTimeOffset(used) : null,
        };
        proto.Tenants.AddRange(row.Tenants);
        return proto;
    }

    private static AgentRegistration ToProto(this RegistrationRow row)
    {
        var proto = new AgentRegistration
        {
            Agent = row.Agent, Region = row.Region, RevokeReason = row.RevokeReason ?? "",
            RevokedAt = row.RevokedAt is { } revoked ? Timestamp.FromDateTimeOffset(revoked) : null,
            CertificateExpiresAt = row.CertificateExpiresAt is { } expires ? Timestamp.FromDateTimeOffset(expires) : null,
        };
        proto.Tenants.AddRange(row.Tenants);
        return proto;
    }
}
