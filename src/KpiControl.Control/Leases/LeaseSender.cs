using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Jobs.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Leases;

/// <summary>Tells agents of leases that are committed.</summary>
internal sealed class LeaseSender(SessionRegistry sessions, StageContracts contracts, LeaseMetrics metrics)
{
    // Of calls and contracts, the parts that authors make long: heartbeats never wait behind more than about this.
    private const int MostCharacters = 256 << 10;

    public async ValueTask SendAsync(IReadOnlyList<NewLease> leases, CancellationToken token)
    {
        var datasets = await contracts.OfAsync(leases.Select(lease => lease.Plan), token);
        foreach (var group in leases.GroupBy(lease => lease.Session))
        {
            foreach (var lease in group)
                metrics.Granted(lease);
            // A session that moved meanwhile learns of what it did not get when it says what it holds.
            if (sessions.Find(group.Key.SessionId) is not { } session || session.Id != group.Key)
                continue;
            foreach (var batch in Batches(group, session, datasets))
                session.Send(new ControlMessage { Leases = batch });
            foreach (var lease in group)
                session.CancelAgain(lease.Attempt);
        }
    }

    private static IEnumerable<LeaseBatch> Batches(
        IEnumerable<NewLease> leases, AgentSession session, IReadOnlyDictionary<BindingPlan, IReadOnlyList<LeasedDataset>> datasets)
    {
        var (batch, characters) = (new LeaseBatch(), 0);
        foreach (var lease in leases)
        {
            session.Held[lease.Attempt] = new GrantedAttempt(lease.Plan, lease.RetriesUsed, lease.BusinessDate, lease.ScheduledFor, lease.Kind);
            var message = Message(lease, session.FirstNeedOf(lease.Plan.ContractDigest));
            // A restatement computes from the tables as they are: it loads and builds none.
            if (lease.Kind != OccurrenceKind.Restatement && datasets.TryGetValue(lease.Plan, out var tables))
                AddStages(message, lease.Plan.Stages, tables);
            batch.Leases.Add(message);
            if ((characters += message.CallJson.Length + message.ContractJson.Length + message.Datasets.Sum(one => one.ContractJson.Length)) < MostCharacters)
                continue;
            yield return batch;
            (batch, characters) = (new LeaseBatch(), 0);
        }
        if (batch.Leases.Count > 0)
            yield return batch;
    }

    private static void AddStages(Lease message, RunStages stages, IReadOnlyList<LeasedDataset> tables)
    {
        message.Stages.AddRange(stages.Stages);
        (message.DryRun, message.WindowOnly) = (stages.IsDryRun, stages.IsOfWindow);
        message.Datasets.AddRange(tables.Select(table => table.Clone()));
    }

    private static Lease Message(NewLease lease, bool withContract)
    {
        var plan = lease.Plan;
        var message = new Lease
        {
            AttemptId = lease.Attempt.ToString(), BindingId = plan.BindingId, Tenant = plan.Tenant, Environment = plan.Environment, JobId = plan.Job.JobId,
            Fence = new Fence { Epoch = lease.FenceEpoch, Number = lease.FenceNumber }, SlotKey = new SlotKey(lease.Kind.Word(), lease.ScheduledFor).ToString(),
            ScheduledFor = lease.ScheduledFor.ToTimestamp(), BusinessDate = lease.BusinessDate.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            TryNumber = lease.RetriesUsed + 1, Timeout = Duration.FromTimeSpan(lease.Timeout), KpiId = plan.Job.KpiId, ContractVersion = plan.Job.ContractVersion,
            ContentHash = plan.ContentHash, ContractDigest = plan.ContractDigest, CallJson = plan.CallOf(lease.Kind).For(lease.BusinessDate),
            ContractJson = withContract ? plan.ContractJson : "", ConnId = plan.Job.Run.ConnId, OnRuleFail = plan.Job.Run.OnRuleFail,
            ScdView = plan.ScdViewOf(lease.Kind), TriggerKind = lease.Kind.Word(),
        };
        if (lease.WindowStart is { } start)
            message.WindowStart = start.ToTimestamp();
        return message;
    }
}

/// <summary>A committed lease, to be told to its session.</summary>
internal sealed record NewLease
{
    public required BindingPlan Plan { get; init; }
    public required Guid Attempt { get; init; }
    public required SessionRef Session { get; init; }
    public required TimeSpan Timeout { get; init; }
    public required int FenceEpoch { get; init; }
    public required long FenceNumber { get; init; }
    public required DateTimeOffset ScheduledFor { get; init; }
    public DateTimeOffset? WindowStart { get; init; }
    public required DateOnly BusinessDate { get; init; }
    public required OccurrenceKind Kind { get; init; }
    public required int RetriesUsed { get; init; }
}
