using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Authoring;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Drift;

internal static class DriftMapping
{
    public static ArtifactStore ToProto(this StoreRow row) => new()
    {
        Store = row.Store, Tenant = row.TenantId, Environment = row.Environment, Kind = row.Kind, Location = row.Location, Branch = row.Branch ?? "", Paths = { row.Paths }, WritesApplied = row.WritesApplied, NewJobs = row.NewJobs ?? "", Signed = row.Signed, State = row.State,
        Version = row.Version ?? "", ReadAt = row.ReadAt?.ToTimestamp(), Artifacts = row.Artifacts, ContentsRead = row.ContentsRead, FailingSince = row.FailingSince?.ToTimestamp(),
        Failures = row.Failures, Failure = row.Failure ?? "", NextPassAt = row.Configured ? row.NextPassAt.ToTimestamp() : null, AskedAt = row.AskedAt?.ToTimestamp(),
        PassStartedAt = row.PassStartedAt?.ToTimestamp(), PassEndedAt = row.PassEndedAt?.ToTimestamp(),
        RewrittenAt = row.RewrittenAt?.ToTimestamp(), RewrittenFrom = row.RewrittenFrom ?? "", RewrittenTo = row.RewrittenTo ?? "",
    };

    public static DriftEntry ToProto(this DriftRow row) => new()
    {
        Store = row.Store, Tenant = row.TenantId, Environment = row.Environment, JobId = row.JobId ?? "", BindingId = row.BindingId ?? 0, Etag = row.BindingId is null ? "" : Etags.Of(row.Revision),
        State = row.State, Reason = DriftWords.Of(row), Since = Since(row), Path = row.Path ?? "", StoreHash = row.StoreHash ?? "",
        StoreRawSha256 = row.StoreRawSha256 ?? "", StoreCommit = row.StoreCommit ?? "", BoundHash = row.BoundHash ?? "",
        SourceRef = row.AgreedAt is not { } agreed ? null : new SourceRef
        {
            Path = row.RefPath ?? "", Commit = row.RefCommit ?? "", RawSha256 = row.RefRawSha256 ?? "", ContentHash = row.RefHash ?? "", AgreedAt = agreed.ToTimestamp(),
        },
    };

    public static StoreWrite ToProto(this WriteRow row) => new()
    {
        WriteId = row.WriteId, Store = row.Store, Path = row.Path, ContentHash = row.ContentHash, StoreState = row.StoreState, Cause = row.Cause, Reason = row.Reason, RequestedBy = row.RequestedBy,
        RequestedAt = row.RequestedAt.ToTimestamp(), Tries = row.Tries, Problem = row.Problem ?? "", StoredCommit = row.StoredCommit ?? "", EndedAt = row.EndedAt?.ToTimestamp(),
    };

    public static Timestamp? Since(DriftRow row) => Later(row.ChangedAt, row.BoundAt)?.ToTimestamp();

    private static DateTimeOffset? Later(DateTimeOffset? one, DateTimeOffset? other) => one is null || other > one ? other : one;
}
