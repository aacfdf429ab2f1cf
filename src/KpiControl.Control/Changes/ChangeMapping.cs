using Google.Protobuf.WellKnownTypes;
using KpiControl.Jobs.Artifacts;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Changes;

internal static class ChangeMapping
{
    public static Change ToProto(this ChangeRow row, IReadOnlyList<DecisionRow> decisions, bool withContent)
    {
        var change = new Change
        {
            ChangeId = row.ChangeId, Tenant = row.TenantId, Environment = row.Environment, Region = row.Region, JobId = row.JobId, BindingId = row.BindingId,
            Kind = row.Kind, State = StateOf(row, decisions), Digest = row.Digest, ContentHash = row.ContentHash, BaseContentHash = row.BaseContentHash ?? "",
            BaseEtag = row.BaseEtag, ContractDigest = row.ContractDigest, PolicyVersion = row.PolicyVersion, Calendar = row.Calendar ?? "", CalendarVersion = row.CalendarVersion ?? 0, Author = row.Author, Reason = row.Reason,
            ProposedAt = row.ProposedAt.ToTimestamp(), ExpiresAt = row.ExpiresAt.ToTimestamp(), ClosedAt = row.ClosedAt?.ToTimestamp(), ClosedBy = row.ClosedBy ?? "",
            AppliedEtag = row.AppliedRevision is { } revision ? Authoring.Etags.Of(revision) : "",
        };
        foreach (var (table, digest) in TableContracts.Parsed(row.TableContracts) ?? [])
            change.TableContracts[table] = digest!.GetValue<string>();
        if (row.Hold is { } hold)
            (change.HeldBy, change.ReleasableFrom) = (hold.By, hold.Until?.ToTimestamp());
        change.Required.AddRange(row.Needs.Select(need => new RequiredApproval
        {
            Capacity = need.Capacity, Principal = need.Principal, GivenBy = Approvals.GivenBy(need, decisions) ?? "",
        }));
        change.Decisions.AddRange(decisions.Select(d => new ChangeDecision
        {
            Principal = d.Principal, Capacity = d.Capacity, Decision = d.Decision, Digest = d.Digest, Comment = d.Comment, DecidedAt = d.DecidedAt.ToTimestamp(),
        }));
        if (!withContent)
            return change;
        (change.Format, change.Content) = (row.Format, row.Content);
        change.Differences.AddRange(ArtifactDiff.Between(row.BaseCanonicalJson, row.CanonicalJson)
            .Select(d => new FieldChange { Path = d.Path, Before = d.Before ?? "", After = d.After ?? "" }));
        if (row.Removes)
            change.Differences.Add(new FieldChange { Path = "/active_flag", Before = "true", After = "false" });
        else if (row is { State: "open", IsPruned: true })
            change.Differences.Add(new FieldChange { Path = "/active_flag", Before = "false", After = "true" });
        return change;
    }

    public static BreakGlassApproval ToProto(this BreakGlassRow row) => new()
    {
        Principal = row.Principal, Capacity = row.Capacity, Digest = row.Digest, Reason = row.Reason, DecidedAt = row.DecidedAt.ToTimestamp(), ExpiresAt = row.ExpiresAt.ToTimestamp(),
    };

    public static ChangeReview ToProto(this ReviewRow row) => new()
    {
        ChangeId = row.ChangeId, Tenant = row.TenantId, Environment = row.Environment, JobId = row.JobId, State = row.ClosedAt is null ? "open" : "closed", Reason = row.Reason,
        Participants = { row.Participants }, OpenedAt = row.OpenedAt.ToTimestamp(), ClosedAt = row.ClosedAt?.ToTimestamp(), ClosedBy = row.ClosedBy ?? "", Comment = row.Comment ?? "",
    };

    private static string StateOf(ChangeRow row, IReadOnlyList<DecisionRow> decisions) =>
        row.State != "open" ? row.State
        : row.Expired ? "expired"
        : row.IsStale ? "stale"
        : Approvals.Missing(row.Needs, decisions).Count == 0 ? "approved"
        : "open";
}
