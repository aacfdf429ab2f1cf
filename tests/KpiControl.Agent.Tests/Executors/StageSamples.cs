using Google.Protobuf.WellKnownTypes;
using KpiControl.Agent.Executors;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;
using KpiControl.Jobs.Runs;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Agent.Tests.Executors;

/// <summary>Leases of the jobs in <c>samples/stages</c>, as control would grant them.</summary>
internal static class StageSamples
{
    private static int fences = 1_000_000;

    public static LeasedCall Lease(
        string job, string businessDate = "2024-12-31", long? fence = null, string? slot = null, Func<LeasedDataset, LeasedDataset?>? edit = null, Func<JobRun, JobRun>? run = null)
    {
        var artifact = ArtifactReader.Read(File.ReadAllText(Repository.File("samples", "stages", "jobs", $"{job}.yaml")), ArtifactFormat.Yaml).Job!;
        var contract = Contract("cfo-in-01");
        var stages = RunStages.Of(run?.Invoke(artifact.Run) ?? artifact.Run);
        var lease = new Lease
        {
            AttemptId = Guid.CreateVersion7().ToString(), BindingId = 7, Tenant = artifact.Tenant, Environment = "dev", JobId = artifact.JobId,
            Fence = new Fence { Epoch = 1, Number = fence ?? Interlocked.Increment(ref fences) }, SlotKey = slot ?? $"manual:{Guid.NewGuid()}", BusinessDate = businessDate,
            TryNumber = 1, Timeout = Duration.FromTimeSpan(TimeSpan.FromMinutes(1)), KpiId = artifact.KpiId, ContractVersion = artifact.ContractVersion, ConnId = "default",
            OnRuleFail = "suppress", ScdView = "as_reported", TriggerKind = "manual",
            CallJson = Jobs.Calls.KpiCall.Of(artifact, contract.Kpi!).For(DateOnly.ParseExact(businessDate, "yyyy-MM-dd")),
        };
        if (!stages.IsKpiAlone)
        {
            (lease.DryRun, lease.WindowOnly) = (stages.IsDryRun, stages.IsOfWindow);
            lease.Stages.AddRange(stages.Stages);
            lease.Datasets.AddRange(new[] { "raw-invoices", "gdp-invoices" }.Select(file => Dataset(Contract(file))).Select(one => edit is null ? one : edit(one)).OfType<LeasedDataset>());
        }
        return new LeasedCall(lease, contract.CanonicalJson!, lease.Timeout.ToTimeSpan());
    }

    /// <summary>Credit invoices of the actual ledger as first reported, summed by company and month from the file itself.</summary>
    public static Dictionary<(string Company, string Month), decimal> Invoiced(string data) =>
        File.ReadLines(Path.Combine(data, "sales.csv")).Skip(1).Select(line => line.Split(',')).Where(cell => cell[4] == "credit" && cell[5] == "actual" && cell[6] == "1")
            .GroupBy(cell => (cell[0], cell[2][..7])).ToDictionary(group => group.Key, group => group.Sum(cell => decimal.Parse(cell[8], System.Globalization.CultureInfo.InvariantCulture)));

    public static CatalogReading Contract(string file)
    {
        var reading = CatalogReader.Read(File.ReadAllText(Repository.File("samples", "stages", "contracts", $"{file}.yaml")), ArtifactFormat.Yaml);
        Assert.Empty(reading.Findings);
        return reading;
    }

    private static LeasedDataset Dataset(CatalogReading reading) => new()
    {
        ContractType = reading.Type, Dataset = reading.Name, ContractJson = reading.CanonicalJson, ContractDigest = reading.Digest, Status = reading.Status,
    };
}
