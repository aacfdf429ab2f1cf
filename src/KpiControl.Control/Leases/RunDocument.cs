using System.Text.Json.Nodes;
using Google.Protobuf;
using KpiControl.Control.Overrides;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Evidence;
using KpiControl.Jobs.Sla;

namespace KpiControl.Control.Leases;

/// <summary>
/// The evidence of a run, as JSON text: the agent's report as it stands, and beside it what the control plane knows and the
/// agent does not. docs/evidence-format.md says what each member is.
/// </summary>
internal static class RunDocument
{
    private static readonly JsonFormatter Json = new(JsonFormatter.Settings.Default.WithPreserveProtoFieldNames(true));

    /// <summary>Of a report that changes history.</summary>
    public static string OfRun(Report report, GrantedAttempt held, RunFacts facts, SlaState? latency, DateTimeOffset? deliverBy)
    {
        var (text, plan) = (Clean(Json.Format(report.Finished)), held.Plan);
        var known = Reporter(report);
        known["definition_hash"] = plan.ContentHash;
        known["contract_digest"] = plan.ContractDigest;
        known["schema_version"] = plan.SchemaVersion;
        known["schema_hash"] = JobSchema.Hash;
        known["policy_version"] = $"{facts.PolicyVersion}";
        if (report.Finished.Points.Count > 0)
            known["values_digest"] = EvidenceValues.DigestOf(JsonNode.Parse(text)!["points"]!);
        if (plan.Approval is { } approval)
            known["approval"] = new JsonObject { ["change_id"] = $"{approval.ChangeId}", ["digest"] = approval.Digest, ["approvers"] = new JsonArray([.. approval.Approvers.Select(a => JsonValue.Create(a))]) };
        if (plan.Overrides.Under(AttemptId.GrantedAt(report.Attempt) ?? DateTimeOffset.MinValue, held.ScheduledFor) is { Count: > 0 } overrides)
            known["overrides"] = new JsonArray([.. overrides.Select(Standing)]);
        if (facts.Inputs.Count > 0)
            known["inputs"] = new JsonArray([.. facts.Inputs.Select(Input)]);
        if (facts.Restatement is { } restatement)
            known["restatement"] = Restated(restatement);
        if (latency is not null || deliverBy is not null)
            known["sla"] = Sla(latency, deliverBy);
        return Joined(text, known, plan.CallOf(held.Kind).For(held.BusinessDate));
    }

    /// <summary>Of a report that is kept and changes nothing.</summary>
    public static string OfKept(Report report, string detail)
    {
        var known = Reporter(report);
        known["detail"] = detail;
        return Joined(Clean(Json.Format(report.Finished)), known, call: null);
    }

    private static JsonObject Reporter(Report report)
    {
        var known = new JsonObject { ["agent"] = report.Session.Opening.Agent, ["session_id"] = report.Session.Id.SessionId };
        if (report.AsSent is { } bytes)
            known["as_sent"] = bytes.ToBase64();
        return known;
    }

    private static JsonNode Input(RunInput input) =>
        new JsonObject([.. input.Members().Where(m => m.Value is not null).Select(m => KeyValuePair.Create(m.Name, (JsonNode?)m.Value))]);

    private static JsonNode Standing(StandingOverride over) => new JsonObject
    {
        ["override_id"] = $"{over.OverrideId}", ["kind"] = over.Kind, ["value"] = over.Value, ["expires_at"] = Audit.ChainTime.Text(over.ExpiresAt.UtcDateTime),
    };

    private static JsonObject Restated(RunRestatement restatement) => new()
    {
        ["restatement_id"] = $"{restatement.RestatementId}", ["reported_run_id"] = $"{restatement.ReportedRunId}", ["cause"] = restatement.Cause, ["source"] = restatement.Source,
        ["accepted_by"] = restatement.AcceptedBy, ["reason"] = restatement.Reason, ["digest"] = restatement.Digest, ["approvers"] = new JsonArray([.. restatement.Approvers.Select(a => JsonValue.Create(a))]),
    };

    private static JsonObject Sla(SlaState? latency, DateTimeOffset? deliverBy)
    {
        var sla = new JsonObject();
        if (latency is { } state)
            sla["latency"] = state.ToString().ToLowerInvariant();
        if (deliverBy is { } at)
            sla["deliver_by"] = Audit.ChainTime.Text(at.UtcDateTime);
        return sla;
    }

    // All are objects: joined at the brace.
    private static string Joined(string report, JsonObject known, string? call) =>
        report[..^1].TrimEnd() + ", " + Clean(known.ToJsonString())[1..^1] + (call is null ? "" : ", \"call\": " + call) + " }";

    // PostgreSQL's jsonb has no NUL.
    private static string Clean(string json) => json.Replace("\\u0000", "\\ufffd", StringComparison.Ordinal);
}
